"""`make demo`: one network from float to hardware, with pictures."""
