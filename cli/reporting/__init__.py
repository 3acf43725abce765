"""The page of `dorefa report`."""
