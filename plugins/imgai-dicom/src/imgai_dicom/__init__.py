"""DICOM files as inputs of every imgai task."""

from __future__ import annotations

from imgai.plugin import Format, hookimpl


@hookimpl
def imgai_register_formats() -> tuple[Format, ...]:
    """One format, which is read and not written."""
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
    )
