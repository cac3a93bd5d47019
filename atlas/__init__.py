"""Parameters in; standard faces, biomarkers and matches out. Reads FaceSequence files and never touches a pixel."""
