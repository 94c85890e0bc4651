import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;

/**
 * An API that takes DPoP-bound access tokens (RFC 9068, RFC 9449), and nothing else.
 * Usage: ISSUER=... AUDIENCE=... ORIGIN=https://api.example.com PORT=3000 java ResourceServer.java
 * It needs nothing but a JDK, and verifies ES256, of tokens and of proofs.
 */
public class ResourceServer {
    static final double MAX_AGE = 60, MAX_FUTURE = 5;
    static final int MAX_USED = 100_000;

    /** Why a request is refused: the error code of the challenge (RFC 6750 section 3.1, RFC 9449 section 7.1). */
    static class Refused extends Exception {
        private static final long serialVersionUID = 1;
        Refused(String error) { super(error); }
    }

    /** Nobody can say now whether the request is good: 503, not 200 and not 401. */
    static class Unavailable extends Exception {
        private static final long serialVersionUID = 1;
    }

    private final String issuer, audience, origin;
    private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
    private Map<String, PublicKey> keys = Map.of();
    private long fetched = Long.MIN_VALUE;
    /** Used proofs of this process. Several processes need a shared store, such as Redis. */
    private final Map<String, Double> used = new HashMap<>();
    private double swept;

    ResourceServer(String issuer, String audience, String origin) {
        this.issuer = issuer;
        this.audience = audience;
        this.origin = origin;
    }

    /** The claims of the token of a request. `target` is the request target, as it was sent. */
    Map<?, ?> check(String method, String target, List<String> authorizations, List<String> proofs)
            throws Refused, Unavailable {
        Map<?, ?> claims;
        String token;
        try {
            String[] parts = only(authorizations).split(" ", 2);
            if (!parts[0].equalsIgnoreCase("DPoP")) throw new Refused("invalid_token");
            token = parts[1];
            claims = checkToken(token);
        } catch (RuntimeException | GeneralSecurityException malformed) {
            throw new Refused("invalid_token");
        }
        try {
            checkProof(only(proofs), method, origin + target.split("[?]", 2)[0], token, claims);
        } catch (RuntimeException | GeneralSecurityException malformed) {
            throw new Refused("invalid_dpop_proof");
        }
        return claims;
    }

    private Map<?, ?> checkToken(String token) throws GeneralSecurityException, Refused, Unavailable {
        Jws jws = new Jws(token);
        PublicKey key = issuerKey((String) jws.header.get("kid"));
        boolean good = key != null && jws.isSigned("at+jwt", key)
            && issuer.equals(jws.claims.get("iss"))
            && (audience.equals(jws.claims.get("aud"))
                || jws.claims.get("aud") instanceof List<?> list && list.contains(audience))
            && (double) jws.claims.get("exp") > now()
            && ((Map<?, ?>) jws.claims.get("cnf")).get("jkt") instanceof String;
        if (!good) throw new Refused("invalid_token");
        return jws.claims;
    }

    /** RFC 9449 section 4.3. */
    private void checkProof(String proof, String method, String uri, String token, Map<?, ?> claims)
            throws GeneralSecurityException, Refused, Unavailable {
        Jws jws = new Jws(proof);
        Map<?, ?> jwk = (Map<?, ?>) jws.header.get("jwk");
        String jkt = digest("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}"
            .formatted(jwk.get("x"), jwk.get("y")));
        String jti = (String) jws.claims.get("jti");
        double iat = (double) jws.claims.get("iat");
        boolean good = jws.isSigned("dpop+jwt", publicKey(jwk))
            && method.equals(jws.claims.get("htm"))
            && uri.equals(((String) jws.claims.get("htu")).split("[?#]", 2)[0])
            && digest(token).equals(jws.claims.get("ath"))
            && jkt.equals(((Map<?, ?>) claims.get("cnf")).get("jkt"))
            && iat >= now() - MAX_AGE && iat <= now() + MAX_FUTURE
            && !jti.isEmpty() && jti.length() <= 256;
        // Last, so that only a good proof is recorded.
        if (!good || !isFirstUse(jkt + ' ' + jti, iat + MAX_AGE)) throw new Refused("invalid_dpop_proof");
    }

    private synchronized boolean isFirstUse(String proof, double until) throws Unavailable {
        double now = now();
        if (now - swept > 1) {
            used.values().removeIf(end -> end < now);
            swept = now;
        }
        // It refuses further proofs rather than forget one that could be used again.
        if (used.size() >= MAX_USED) throw new Unavailable();
        return used.putIfAbsent(proof, until) == null;
    }

    /** The issuer's key, fetched again when the copy is old or has none by this name. */
    private synchronized PublicKey issuerKey(String kid) throws Unavailable {
        long age = fetched == Long.MIN_VALUE ? Long.MAX_VALUE : (System.nanoTime() - fetched) / 1_000_000_000;
        if (age > 300 || !keys.containsKey(kid) && age > 10) {
            try {
                Map<?, ?> metadata = fetch(issuer + "/.well-known/oauth-authorization-server");
                if (!issuer.equals(metadata.get("issuer"))) throw new IOException("of another issuer");
                Map<String, PublicKey> found = new HashMap<>();
                for (Object jwk : (List<?>) fetch((String) metadata.get("jwks_uri")).get("keys"))
                    if (jwk instanceof Map<?, ?> map && "P-256".equals(map.get("crv")))
                        found.put((String) map.get("kid"), publicKey(map));
                keys = found;
                fetched = System.nanoTime();
            } catch (InterruptedException | IOException | RuntimeException | GeneralSecurityException cause) {
                throw new Unavailable();
            }
        }
        return kid == null ? null : keys.get(kid);
    }

    private Map<?, ?> fetch(String url) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(5)).build();
        HttpResponse<String> answer = http.send(request, BodyHandlers.ofString());
        if (answer.statusCode() != 200) throw new IOException("status " + answer.statusCode());
        return (Map<?, ?>) new Json(answer.body()).read();
    }

    /** A JWS in compact form, not yet verified. */
    static class Jws {
        final Map<?, ?> header, claims;
        private final String signed;
        private final byte[] signature;

        Jws(String text) {
            String[] parts = text.split("[.]", -1);
            if (parts.length != 3) throw new IllegalArgumentException("not a JWS");
            header = (Map<?, ?>) new Json(new String(decoded(parts[0]), StandardCharsets.UTF_8)).read();
            claims = (Map<?, ?>) new Json(new String(decoded(parts[1]), StandardCharsets.UTF_8)).read();
            signature = decoded(parts[2]);
            signed = parts[0] + '.' + parts[1];
        }

        boolean isSigned(String typ, PublicKey key) throws GeneralSecurityException {
            if (!typ.equals(header.get("typ")) || !"ES256".equals(header.get("alg"))) return false;
            if (header.containsKey("crit")) return false;
            // In this format the signature is not DER but two integers, as in a JWS.
            Signature ecdsa = Signature.getInstance("SHA256withECDSAinP1363Format");
            ecdsa.initVerify(key);
            ecdsa.update(signed.getBytes(StandardCharsets.US_ASCII));
            return ecdsa.verify(signature);
        }
    }

    static PublicKey publicKey(Map<?, ?> jwk) throws GeneralSecurityException {
        byte[] x = decoded((String) jwk.get("x")), y = decoded((String) jwk.get("y"));
        if (!"EC".equals(jwk.get("kty")) || !"P-256".equals(jwk.get("crv")) || jwk.containsKey("d")
            || x.length != 32 || y.length != 32) throw new GeneralSecurityException("not a public key of P-256");
        AlgorithmParameters curve = AlgorithmParameters.getInstance("EC");
        curve.init(new ECGenParameterSpec("secp256r1"));
        ECPoint point = new ECPoint(new BigInteger(1, x), new BigInteger(1, y));
        ECParameterSpec parameters = curve.getParameterSpec(ECParameterSpec.class);
        return KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(point, parameters));
    }

    static String digest(String text) throws GeneralSecurityException {
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        return Base64.getUrlEncoder().withoutPadding().encodeToString(hash);
    }

    static byte[] decoded(String base64url) {
        return Base64.getUrlDecoder().decode(base64url);
    }

    static double now() {
        return System.currentTimeMillis() / 1000.0;
    }

    static String only(List<String> values) {
        if (values == null || values.size() != 1) throw new IllegalArgumentException("one is needed");
        return values.get(0);
    }

    /** Reads JSON strictly, because a JDK cannot read it. Use your JSON library. */
    static class Json {
        private final String text;
        private int at;

        Json(String text) { this.text = text; }

        Object read() {
            Object value = value(0);
            if (next() != 0) throw new IllegalArgumentException("text after the value");
            return value;
        }

        private char next() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
            return at < text.length() ? text.charAt(at) : 0;
        }

        private boolean take(String expected) {
            next();
            if (!text.startsWith(expected, at)) return false;
            at += expected.length();
            return true;
        }

        private void need(String expected) {
            if (!take(expected)) throw new IllegalArgumentException("expected " + expected);
        }

        private Object value(int depth) {
            if (depth > 20) throw new IllegalArgumentException("too deep");
            if (next() == '"') return string();
            if (take("true")) return true;
            if (take("false")) return false;
            if (take("null")) return null;
            if (take("[")) {
                List<Object> list = new ArrayList<>();
                if (take("]")) return list;
                do list.add(value(depth + 1)); while (take(","));
                need("]");
                return list;
            }
            if (take("{")) {
                Map<String, Object> map = new HashMap<>();
                if (take("}")) return map;
                do {
                    next();
                    String name = string();
                    need(":");
                    if (map.containsKey(name)) throw new IllegalArgumentException("repeated " + name);
                    map.put(name, value(depth + 1));
                } while (take(","));
                need("}");
                return map;
            }
            int from = at;
            while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) at++;
            return Double.parseDouble(text.substring(from, at));
        }

        private String string() {
            need("\"");
            StringBuilder read = new StringBuilder();
            for (char c; (c = text.charAt(at++)) != '"'; ) {
                if (c < ' ') throw new IllegalArgumentException("a control character");
                if (c != '\\') {
                    read.append(c);
                    continue;
                }
                char escaped = text.charAt(at++);
                int simple = "\"\\/bfnrt".indexOf(escaped);
                if (simple >= 0) read.append("\"\\/\b\f\n\r\t".charAt(simple));
                else if (escaped == 'u') read.append((char) Integer.parseInt(text.substring(at, at += 4), 16));
                else throw new IllegalArgumentException("an unknown escape");
            }
            return read.toString();
        }
    }

    private void answer(HttpExchange exchange) throws IOException {
        int status = 200;
        String body;
        try {
            Map<?, ?> claims = check(exchange.getRequestMethod(), exchange.getRequestURI().toString(),
                exchange.getRequestHeaders().get("Authorization"), exchange.getRequestHeaders().get("DPoP"));
            String id = ((String) claims.get("client_id")).replaceAll("[\"\\\\]", "\\\\$0");
            body = "{\"client_id\":\"" + id + "\"}";
        } catch (Refused refused) {
            status = 401;
            body = "{\"error\":\"" + refused.getMessage() + "\"}";
            exchange.getResponseHeaders().set("WWW-Authenticate",
                "DPoP error=\"" + refused.getMessage() + "\", algs=\"ES256\"");
        } catch (Unavailable unavailable) {
            status = 503;
            body = "{\"error\":\"temporarily_unavailable\"}";
        }
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    public static void main(String[] args) throws IOException {
        Map<String, String> env = System.getenv();
        // The origin comes from the configuration: `Host` is the client's word.
        ResourceServer api = new ResourceServer(env.get("ISSUER"), env.get("AUDIENCE"), env.get("ORIGIN"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(env.get("PORT"))), 0);
        server.createContext("/", api::answer);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
    }
}
