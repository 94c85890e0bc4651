import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Gets a DPoP-bound access token and calls an API with it. Needs nothing but a JDK.
 * Usage: ISSUER=... CLIENT_ID=... CLIENT_SECRET=... RESOURCE=... java Client.java https://api.example.com/reports
 */
public class Client {
    /** Sends requests with a DPoP proof (RFC 9449 section 4.2) and answers nonces (sections 8 and 9). */
    static class Holder {
        // Redirects are not followed: elsewhere nobody should get the token.
        private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
        private final KeyPair key;
        /** The newest of each host and port. */
        private final Map<String, String> nonces = new ConcurrentHashMap<>();

        Holder() throws GeneralSecurityException {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            key = generator.generateKeyPair();
        }

        HttpResponse<String> send(HttpRequest request, String token) throws Exception {
            HttpResponse<String> answer = once(request, token);
            boolean demanded = answer.headers().firstValue("DPoP-Nonce").isPresent()
                && (String.join(",", answer.headers().allValues("WWW-Authenticate")).contains("use_dpop_nonce")
                    || (answer.statusCode() == 400 && answer.body().contains("use_dpop_nonce")));
            return demanded ? once(request, token) : answer;
        }

        private HttpResponse<String> once(HttpRequest request, String token) throws Exception {
            HttpRequest.Builder proven = HttpRequest.newBuilder(request, (name, value) -> true)
                .timeout(Duration.ofSeconds(10))
                .setHeader("DPoP", proof(request.method(), request.uri(), token));
            if (token != null) proven.setHeader("Authorization", "DPoP " + token);
            HttpResponse<String> answer = http.send(proven.build(), BodyHandlers.ofString());
            answer.headers().firstValue("DPoP-Nonce")
                .ifPresent(nonce -> nonces.put(request.uri().getAuthority(), nonce));
            return answer;
        }

        private String proof(String method, URI uri, String token) throws GeneralSecurityException {
            ECPublicKey point = (ECPublicKey) key.getPublic();
            String header = """
                {"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"%s","y":"%s"}}"""
                .formatted(coordinate(point.getW().getAffineX()), coordinate(point.getW().getAffineY()));
            String claims = """
                {"jti":"%s","htm":"%s","htu":"%s","iat":%d""".formatted(UUID.randomUUID(), method,
                uri.toString().replaceFirst("[?#].*$", ""), Instant.now().getEpochSecond());
            if (token != null) {
                byte[] hash = MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.US_ASCII));
                claims += ",\"ath\":\"" + base64url(hash) + '"';
            }
            String nonce = nonces.get(uri.getAuthority());
            if (nonce != null) claims += ",\"nonce\":\"" + nonce + '"';
            String signed = base64url(header.getBytes(StandardCharsets.UTF_8)) + '.'
                + base64url((claims + '}').getBytes(StandardCharsets.UTF_8));
            // In this format the signature is not DER but the two integers, as JWS wants it.
            Signature ecdsa = Signature.getInstance("SHA256withECDSAinP1363Format");
            ecdsa.initSign(key.getPrivate());
            ecdsa.update(signed.getBytes(StandardCharsets.US_ASCII));
            return signed + '.' + base64url(ecdsa.sign());
        }

        private static String coordinate(java.math.BigInteger value) {
            byte[] bytes = new byte[32];
            byte[] signed = value.toByteArray();
            int length = Math.min(signed.length, 32);
            System.arraycopy(signed, signed.length - length, bytes, 32 - length, length);
            return base64url(bytes);
        }

        private static String base64url(byte[] bytes) {
            return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
        }
    }

    /** A member that is a string without escapes, as URLs and tokens are. Use your JSON library. */
    static String member(String name, String json) {
        var found = Pattern.compile('"' + name + "\"\\s*:\\s*\"([^\"\\\\]*)\"").matcher(json);
        if (!found.find()) throw new IllegalStateException(json);
        return found.group(1);
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> env = System.getenv();
        Holder holder = new Holder();
        URI place = URI.create(env.get("ISSUER") + "/.well-known/oauth-authorization-server");
        String metadata = holder.send(HttpRequest.newBuilder(place).build(), null).body();
        // Somebody else would get the secret (RFC 8414 section 3.3).
        if (!member("issuer", metadata).equals(env.get("ISSUER")))
            throw new IllegalStateException("not the metadata of this issuer");
        String endpoint = member("token_endpoint", metadata);
        Map<String, String> form = Map.of("grant_type", "client_credentials", "resource", env.get("RESOURCE"),
            "client_id", env.get("CLIENT_ID"), "client_secret", env.get("CLIENT_SECRET"));
        String body = form.entrySet().stream()
            .map(entry -> entry.getKey() + '=' + URLEncoder.encode(entry.getValue(), StandardCharsets.UTF_8))
            .collect(Collectors.joining("&"));
        HttpResponse<String> answer = holder.send(HttpRequest.newBuilder(URI.create(endpoint))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(BodyPublishers.ofString(body)).build(), null);
        if (answer.statusCode() != 200) {
            System.err.println(answer.body());
            System.exit(1);
        }
        String token = member("access_token", answer.body());
        answer = holder.send(HttpRequest.newBuilder(URI.create(args[0])).build(), token);
        System.out.println(answer.body());
        System.exit(answer.statusCode() < 300 ? 0 : 1);
    }
}
