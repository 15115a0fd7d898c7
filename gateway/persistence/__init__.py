"""Sessions that outlive the process: between the DTLS engine and the file that holds them."""
