"""What a network is: layers in float form, their checks, the file that holds them."""
