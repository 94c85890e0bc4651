<?php
// Gets a DPoP-bound access token and calls an API with it. Needs the extensions curl and openssl.
// Usage: ISSUER=... CLIENT_ID=... CLIENT_SECRET=... RESOURCE=... php client.php https://api.example.com/reports
declare(strict_types=1);

/** Sends requests with a DPoP proof (RFC 9449 section 4.2) and answers nonces (sections 8 and 9). */
final class Holder
{
    private OpenSSLAsymmetricKey $key;
    private array $jwk;
    /** The newest of each origin. */
    private array $nonces = [];

    public function __construct()
    {
        $this->key = openssl_pkey_new(['private_key_type' => OPENSSL_KEYTYPE_EC, 'curve_name' => 'prime256v1']);
        ['x' => $x, 'y' => $y] = openssl_pkey_get_details($this->key)['ec'];
        $this->jwk = ['kty' => 'EC', 'crv' => 'P-256', 'x' => self::coordinate($x), 'y' => self::coordinate($y)];
    }

    /** Status and body. With a form it is a POST. */
    public function send(string $url, ?array $form = null, ?string $token = null): array
    {
        $origin = self::origin($url);
        $known = $this->nonces[$origin] ?? null;
        [$status, $body, $challenge] = $this->once($url, $form, $token);
        $demanded = str_contains($challenge, 'use_dpop_nonce') || ($status === 400 && str_contains($body, 'use_dpop_nonce'));
        if ($demanded && ($this->nonces[$origin] ?? null) !== $known) {
            [$status, $body] = $this->once($url, $form, $token);
        }
        return [$status, $body];
    }

    private function once(string $url, ?array $form, ?string $token): array
    {
        $fields = ['DPoP: ' . $this->proof($form === null ? 'GET' : 'POST', $url, $token)];
        if ($token !== null) {
            $fields[] = "Authorization: DPoP $token";
        }
        $challenge = '';
        $read = function ($_, string $line) use (&$challenge, $url): int {
            [$name, $value] = array_map('trim', explode(':', $line, 2)) + [1 => ''];
            if (strcasecmp($name, 'DPoP-Nonce') === 0) {
                $this->nonces[self::origin($url)] = $value;
            }
            if (strcasecmp($name, 'WWW-Authenticate') === 0) {
                $challenge .= $value;
            }
            return strlen($line);
        };
        $request = curl_init($url);
        curl_setopt_array($request, [
            CURLOPT_HTTPHEADER => $fields,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_HEADERFUNCTION => $read,
            CURLOPT_TIMEOUT => 10,
        ] + ($form === null ? [] : [CURLOPT_POSTFIELDS => http_build_query($form)]));
        $body = curl_exec($request);
        if ($body === false) {
            throw new RuntimeException(curl_error($request));
        }
        return [curl_getinfo($request, CURLINFO_RESPONSE_CODE), $body, $challenge];
    }

    private function proof(string $method, string $url, ?string $token): string
    {
        $claims = [
            'jti' => bin2hex(random_bytes(16)),
            'htm' => $method,
            'htu' => preg_replace('/[?#].*$/s', '', $url),
            'iat' => time(),
        ];
        if ($token !== null) {
            $claims['ath'] = self::base64url(hash('sha256', $token, true));
        }
        if (isset($this->nonces[self::origin($url)])) {
            $claims['nonce'] = $this->nonces[self::origin($url)];
        }
        $header = ['typ' => 'dpop+jwt', 'alg' => 'ES256', 'jwk' => $this->jwk];
        $signed = self::base64url(json_encode($header)) . '.' . self::base64url(json_encode($claims));
        openssl_sign($signed, $der, $this->key, OPENSSL_ALGO_SHA256);
        // OpenSSL writes DER; JWS wants the two integers, 32 bytes each (RFC 7518 section 3.4).
        $length = ord($der[3]);
        $r = substr($der, 4, $length);
        $s = substr($der, 6 + $length);
        return $signed . '.' . self::base64url(self::padded($r) . self::padded($s));
    }

    private static function origin(string $url): string
    {
        return preg_replace('~^(https?://[^/?#]+).*$~s', '$1', $url);
    }

    private static function padded(string $integer): string
    {
        return str_pad(ltrim($integer, "\0"), 32, "\0", STR_PAD_LEFT);
    }

    private static function coordinate(string $bytes): string
    {
        return self::base64url(self::padded($bytes));
    }

    private static function base64url(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }
}

$holder = new Holder();
$metadata = json_decode(file_get_contents(getenv('ISSUER') . '/.well-known/oauth-authorization-server'), true);
if (($metadata['issuer'] ?? null) !== getenv('ISSUER')) {
    fwrite(STDERR, "not the metadata of this issuer\n"); // it would get the secret (RFC 8414 section 3.3)
    exit(1);
}
[$status, $body] = $holder->send($metadata['token_endpoint'], [
    'grant_type' => 'client_credentials',
    'resource' => getenv('RESOURCE'),
    'client_id' => getenv('CLIENT_ID'),
    'client_secret' => getenv('CLIENT_SECRET'),
]);
if ($status !== 200) {
    fwrite(STDERR, "$body\n");
    exit(1);
}
[$status, $body] = $holder->send($argv[1], token: json_decode($body, true)['access_token']);
echo $body, "\n";
exit($status < 300 ? 0 : 1);
