import ssl
print(len(ssl.create_default_context().get_ca_certs()))
