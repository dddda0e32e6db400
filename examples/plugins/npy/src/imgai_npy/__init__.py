"""NumPy arrays (.npy) as pictures that every imgai task reads and writes."""

from imgai.plugin import Format, hookimpl


@hookimpl
def imgai_register_formats() -> tuple[Format, ...]:
    """One format. Its functions are imported when a file of it is read or written."""
    return (
        Format(
            name="NPY",
            suffixes=(".npy",),
            magic=(rb"\x93NUMPY",),
            probe="imgai_npy.arrays:probe",
            read="imgai_npy.arrays:read",
            write="imgai_npy.arrays:write",
            deep=True,
            alpha=True,
        ),
    )
