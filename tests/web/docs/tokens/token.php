<?php
function token_for(string $user, string $secret): string {
    $part = fn (string $data) => rtrim(strtr(base64_encode($data), '+/', '-_'), '=');
    $body = $part('{"alg":"HS256","typ":"JWT"}') . '.' . $part(json_encode(['sub' => $user, 'exp' => time() + 3600]));
    return $body . '.' . $part(hash_hmac('sha256', $body, $secret, true));
}
