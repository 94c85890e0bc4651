// An API that takes DPoP-bound access tokens (RFC 9068, RFC 9449), and nothing else.
//
// Usage: ISSUER=... AUDIENCE=... ORIGIN=https://api.example.com PORT=3000 go run .
//
// It needs nothing but Go's standard library, and verifies ES256, of tokens and of proofs.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

var (
	errToken = errors.New("invalid_token")
	errProof = errors.New("invalid_dpop_proof")
	// Nobody can say now whether the request is good: 503, not 200 and not 401.
	errUnavailable = errors.New("temporarily_unavailable")
)

type jwk struct {
	Kty, Crv, Kid, X, Y string
	D                   *string
}

// publicKey reads a public key of P-256.
func (k jwk) publicKey() (*ecdsa.PublicKey, error) {
	x, errX := base64.RawURLEncoding.DecodeString(k.X)
	y, errY := base64.RawURLEncoding.DecodeString(k.Y)
	if k.Kty != "EC" || k.Crv != "P-256" || k.D != nil || errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
		return nil, errors.New("not a public key of P-256")
	}
	key := &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
	if !key.Curve.IsOnCurve(key.X, key.Y) {
		return nil, errors.New("not a point of P-256")
	}
	return key, nil
}

// thumbprint is that of RFC 7638.
func (k jwk) thumbprint() string {
	return digest(fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, k.X, k.Y))
}

func digest(text string) string {
	hash := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

type header struct {
	Typ, Alg, Kid string
	Crit          json.RawMessage
	Jwk           *jwk
}

type claims struct {
	Iss, Jti, Htm, Htu, Ath string
	ClientID                string `json:"client_id"`
	Aud                     audience
	Iat, Exp                float64
	Cnf                     struct{ Jkt string }
}

// audience is a string or a list of strings (RFC 7519 section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// verified reads a JWS of this type and verifies its ES256 signature by the key that find answers.
func verified(jws, typ string, find func(header) (*ecdsa.PublicKey, error)) (head header, body claims, err error) {
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return head, body, errors.New("not a JWS")
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return head, body, err
		}
	}
	if err = json.Unmarshal(decoded[0], &head); err != nil {
		return head, body, err
	}
	signature := decoded[2]
	if head.Typ != typ || head.Alg != "ES256" || head.Crit != nil || len(signature) != 64 {
		return head, body, errors.New("not a JWT of this kind")
	}
	key, err := find(head)
	if err != nil {
		return head, body, err
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(key, hash[:], r, s) {
		return head, body, errors.New("bad signature")
	}
	return head, body, json.Unmarshal(decoded[1], &body)
}

// issuerKeys are the issuer's ES256 keys, fetched again when they are old or one is unknown.
type issuerKeys struct {
	issuer  string
	mutex   sync.Mutex
	keys    map[string]*ecdsa.PublicKey
	fetched time.Time
}

func (k *issuerKeys) find(kid string) (*ecdsa.PublicKey, error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	age := time.Since(k.fetched)
	if age > 5*time.Minute || (k.keys[kid] == nil && age > 10*time.Second) {
		if err := k.fetch(); err != nil {
			return nil, errUnavailable
		}
	}
	if key := k.keys[kid]; key != nil && kid != "" {
		return key, nil
	}
	return nil, errors.New("unknown key")
}

func (k *issuerKeys) fetch() error {
	var metadata struct {
		Issuer  string
		JwksURI string `json:"jwks_uri"`
	}
	if err := getJSON(k.issuer+"/.well-known/oauth-authorization-server", &metadata); err != nil {
		return err
	}
	if metadata.Issuer != k.issuer {
		return errors.New("the metadata are of another issuer")
	}
	var set struct{ Keys []jwk }
	if err := getJSON(metadata.JwksURI, &set); err != nil {
		return err
	}
	k.keys = map[string]*ecdsa.PublicKey{}
	for _, one := range set.Keys {
		if key, err := one.publicKey(); err == nil {
			k.keys[one.Kid] = key
		}
	}
	k.fetched = time.Now()
	return nil
}

var fetcher = &http.Client{Timeout: 5 * time.Second}

func getJSON(url string, value any) error {
	answer, err := fetcher.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(value)
}

// usedProofs are those of one process. Several processes need a shared store, such as Redis.
type usedProofs struct {
	mutex sync.Mutex
	until map[string]time.Time
	swept time.Time
}

func (u *usedProofs) markUsed(proof string, until time.Time) error {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	now := time.Now()
	if now.Sub(u.swept) > time.Second {
		for old, end := range u.until {
			if end.Before(now) {
				delete(u.until, old)
			}
		}
		u.swept = now
	}
	if _, used := u.until[proof]; used {
		return errProof
	}
	// It refuses further proofs rather than forget one that could be used again.
	if len(u.until) >= 100_000 {
		return errUnavailable
	}
	u.until[proof] = until
	return nil
}

const maxAge, maxFuture = 60 * time.Second, 5 * time.Second

type checker struct {
	issuer, audience, origin string
	keys                     issuerKeys
	used                     usedProofs
}

// check answers the claims of the token of a request, and says why there are none.
func (c *checker) check(request *http.Request) (claims, error) {
	authorizations := request.Header.Values("Authorization")
	if len(authorizations) != 1 {
		return claims{}, errToken
	}
	scheme, token, _ := strings.Cut(authorizations[0], " ")
	if !strings.EqualFold(scheme, "DPoP") {
		return claims{}, errToken
	}
	_, body, err := verified(token, "at+jwt", func(head header) (*ecdsa.PublicKey, error) { return c.keys.find(head.Kid) })
	if errors.Is(err, errUnavailable) {
		return body, err
	}
	if err != nil || body.Iss != c.issuer || !c.isFor(body.Aud) || body.Cnf.Jkt == "" || body.Exp <= seconds(time.Now()) {
		return body, errToken
	}
	return body, c.checkProof(request, token, body.Cnf.Jkt)
}

func (c *checker) isFor(audiences audience) bool {
	for _, one := range audiences {
		if one == c.audience {
			return true
		}
	}
	return false
}

// checkProof has the rules of RFC 9449 section 4.3.
func (c *checker) checkProof(request *http.Request, token, jkt string) error {
	proofs := request.Header.Values("DPoP")
	if len(proofs) != 1 {
		return errProof
	}
	head, proof, err := verified(proofs[0], "dpop+jwt", func(head header) (*ecdsa.PublicKey, error) {
		if head.Jwk == nil {
			return nil, errProof
		}
		return head.Jwk.publicKey()
	})
	if err != nil {
		return errProof
	}
	uri, _, _ := strings.Cut(request.RequestURI, "?")
	htu, _, _ := strings.Cut(proof.Htu, "?")
	age := seconds(time.Now()) - proof.Iat
	if proof.Htm != request.Method || htu != c.origin+uri || // for another request
		proof.Ath != digest(token) || head.Jwk.thumbprint() != jkt || // for another token, by another key
		age > maxAge.Seconds() || age < -maxFuture.Seconds() ||
		proof.Jti == "" || len(proof.Jti) > 256 {
		return errProof
	}
	// Last, so that only a good proof is recorded.
	return c.used.markUsed(jkt+" "+proof.Jti, time.Unix(int64(proof.Iat)+1, 0).Add(maxAge))
}

func seconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

func main() {
	c := &checker{issuer: os.Getenv("ISSUER"), audience: os.Getenv("AUDIENCE"), origin: os.Getenv("ORIGIN")}
	c.keys.issuer, c.used.until = c.issuer, map[string]time.Time{}
	api := func(response http.ResponseWriter, request *http.Request) {
		response.Header().Set("Content-Type", "application/json")
		switch presented, err := c.check(request); {
		case err == nil:
			json.NewEncoder(response).Encode(map[string]string{"client_id": presented.ClientID})
		case errors.Is(err, errUnavailable):
			response.WriteHeader(http.StatusServiceUnavailable)
		default:
			response.Header().Set("WWW-Authenticate", fmt.Sprintf(`DPoP error="%s", algs="ES256"`, err))
			response.WriteHeader(http.StatusUnauthorized)
		}
	}
	err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(api))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
