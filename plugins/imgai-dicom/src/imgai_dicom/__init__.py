"""DICOM and NIfTI files as inputs of every imgai task, and NIfTI as its output."""

from __future__ import annotations

from imgai.plugin import Format, Kind, MaskParams, Output, hookimpl


@hookimpl
def imgai_register_formats() -> tuple[Format, ...]:
    """Return DICOM (read only) and NIfTI."""
    return (
        Format(
            name="DICOM",
            suffixes=(".dcm", ".dicom"),
            magic=(rb".{128}DICM",),
            probe="imgai_dicom.reading:probe",
            read="imgai_dicom.reading:read",
            deep=True,
            paged=True,
            extra="dicom",
        ),
        Format(
            name="NIFTI",
            suffixes=(".nii",),
            # The size of the header, in either order, and its version; or what gzip begins with.
            magic=(rb"\x5c\x01\0\0", rb"\0\0\x01\x5c", rb"\x1c\x02\0\0n\+2", rb"\0\0\x02\x1cn\+2", rb"\x1f\x8b"),
            check="imgai_dicom.volumes:check",
            probe="imgai_dicom.nifti:probe",
            read="imgai_dicom.nifti:read",
            write="imgai_dicom.nifti:write",
            deep=True,
            pages=True,
            paged=True,
            extra="nifti",
        ),
    )


@hookimpl
def imgai_register_kinds() -> tuple[Kind, ...]:
    """Return the kind that writes masks as a volume."""
    return (
        Kind(
            name="nifti",
            of=Output.MASK,
            summary="A NIfTI volume of class numbers, with the spacing and orientation of the input.",
            render="imgai_dicom.nifti:render",
            suffixes=(".nii",),
            once="input",
            params=MaskParams,
        ),
    )
