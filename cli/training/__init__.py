"""`dorefa train`, and what the other verbs say of training steps."""
