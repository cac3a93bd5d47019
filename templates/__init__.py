"""The embedded templates, their calibrations and licences: data files, read through `reconstruction`."""
