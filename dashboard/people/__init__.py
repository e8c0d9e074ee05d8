"""Who signs in: passwords, throttled tries, known browsers, second factors, sessions that end."""
