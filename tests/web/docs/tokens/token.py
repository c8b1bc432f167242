import base64, hmac, json, time

def token_for(user: str, secret: str) -> str:
    part = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
    body = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps({"sub": user, "exp": int(time.time()) + 3600}).encode())
    return (body + b"." + part(hmac.digest(secret.encode(), body, "sha256"))).decode()
