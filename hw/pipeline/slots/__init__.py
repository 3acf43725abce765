"""Maps as streams of slots: windows and pooling over them, and when what comes."""
