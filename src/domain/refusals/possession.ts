import { refusals } from './refusal.ts';

const notByMac = 'the proof is not a JWT signed with the symmetric key of the access token';
const proofRequired =
  'a proof of possession is required, because this server issues no bearer tokens: ' +
  'send a DPoP proof (RFC 9449), or use mutual TLS (RFC 8705)';
const noNonce = 'a nonce of this server is required in the DPoP proof';

/** Proof of the requester's key (RFC 9449 §4.3, RFC 8705 §3, RFC 9201 §3.1). */
export const possessionRefusals = {
  ...refusals('invalid_dpop_proof', {
    proof_header_repeated: [
      'there must be exactly one DPoP header field',
      'Send one DPoP header field with one proof.',
    ],
    proof_malformed: [
      'the DPoP proof is not a JWT whose signature verifies with an acceptable public key in its header',
      'Sign with the private key of the jwk in the header; leave private members out of it.',
    ],
    proof_typ_mismatch: ['typ of the DPoP proof is not dpop+jwt', 'Set typ to dpop+jwt.'],
    proof_jti_invalid: [
      'the DPoP proof needs a jti of 1 to 128 characters',
      'Set jti to a new random value for each proof.',
    ],
    proof_htm_mismatch: [
      'htm of the DPoP proof is not the method of this request',
      'Set htm to the method, in upper case.',
    ],
    proof_htu_mismatch: [
      'htu of the DPoP proof is not the URI of this endpoint',
      'Copy the URI from the metadata. Behind a proxy, check ISSUER.',
    ],
    proof_iat_invalid: ['the DPoP proof needs a numeric iat', 'Set iat in seconds.'],
    proof_iat_too_old: [
      'iat of the DPoP proof is too old',
      'Make a new proof for each request, and check the clock of the client.',
    ],
    proof_iat_in_future: [
      'iat of the DPoP proof is in the future',
      'Synchronize the clock of the client with NTP.',
    ],
    proof_expired: ['the DPoP proof has expired', 'exp is in the past. Make a new proof.'],
    proof_not_yet_valid: ['the DPoP proof is not valid yet', 'nbf is in the future.'],
    proof_ath_mismatch: [
      'ath of the DPoP proof is not the hash of the access token',
      'Set ath to the base64url SHA-256 of the access token (RFC 9449 §4.2).',
    ],
    proof_replayed: [
      'the DPoP proof was used before',
      'Make a new proof for each request and each retry.',
    ],
    proof_alg_not_allowed: [notByMac, 'Sign the PoP proof with HS256.'],
    proof_brings_key: [notByMac, 'Leave jwk, jku, x5u and x5c out of the header.'],
    proof_kid_mismatch: [notByMac, 'Set kid to that of the key in the token response.'],
    proof_mac_invalid: [notByMac, 'Use the key in cnf of the token response.'],
  }),
  ...refusals('use_dpop_nonce', {
    nonce_missing: [
      noNonce,
      'Repeat the request with nonce set to the DPoP-Nonce of this answer (RFC 9449 §8).',
    ],
    nonce_stale: [noNonce, 'The nonce is no longer good. Repeat with the new DPoP-Nonce.'],
  }),
  ...refusals('invalid_request', {
    proof_missing: [
      proofRequired,
      'Every access token is bound to a key, so every token request has to prove one.',
    ],
    dpop_proof_missing: [
      'the client is registered to send a DPoP proof',
      'Send a DPoP header, or register dpop_bound_access_tokens as false.',
    ],
    proof_and_certificate: [
      'the client is registered for certificate-bound tokens and sent a DPoP proof',
      'Leave the DPoP header out, or unset tls_client_certificate_bound_access_tokens.',
    ],
    certificate_missing: [
      'the client is registered for certificate-bound tokens and sent no certificate',
      'Use the mTLS alias of the token endpoint. Behind a proxy, check CLIENT_CERTIFICATE_HEADER.',
    ],
    certificate_not_valid: [
      'the client certificate has expired or is not valid yet',
      'Renew the certificate, and check the clock of the server.',
    ],
    proven_keys_ambiguous: [
      'two different keys are proven and req_cnf does not say which to bind',
      'Name one of them in req_cnf.',
    ],
    req_cnf_too_long: ['req_cnf is too long', 'Name the key by jkt or kid.'],
    req_cnf_not_json: ['req_cnf is not a JSON object', 'Send a JSON object, form-encoded.'],
    req_cnf_member_count: [
      'req_cnf must have exactly one member',
      'Send one of jwk, jkt and kid (RFC 9201 §3.1).',
    ],
    req_cnf_jkt_malformed: [
      'jkt in req_cnf is not a SHA-256 JWK thumbprint',
      'Send the RFC 7638 thumbprint in base64url: 43 characters.',
    ],
    req_cnf_kid_malformed: ['kid in req_cnf is not a string', 'Send a non-empty string.'],
    req_cnf_jwk_malformed: ['jwk in req_cnf is not a JSON object', 'Send the public JWK.'],
    req_cnf_certificate_by_name: [
      'a certificate is taken from the TLS handshake, never from req_cnf',
      'Leave req_cnf out: the certificate of the connection counts by itself.',
    ],
    req_cnf_method_unknown: [
      'req_cnf must name the key by jwk, jkt or kid',
      'Use one of req_cnf_methods_supported in the metadata.',
    ],
    req_cnf_private_key: [
      'req_cnf carries private key material',
      'Send public members only, and replace the key: it has left the client.',
    ],
  }),
  ...refusals('unsupported_pop_key', {
    certificate_key_unsupported: [
      'the key of the client certificate is of a kind that this server does not accept',
      'Use P-256, P-384, P-521, Ed25519, or RSA of at least 2048 bits.',
    ],
    req_cnf_kid_unknown: [
      'req_cnf names a key that the client has not registered',
      'Register the key under this kid.',
    ],
    req_cnf_key_unusable: [
      'the key in req_cnf is not a public signature key that this server can use',
      'Use a key for one of dpop_signing_alg_values_supported in the metadata.',
    ],
  }),
  ...refusals('failed_pop_verification', {
    req_cnf_not_proven: [
      'req_cnf does not match a key proven in this request',
      'Sign the DPoP proof or the client assertion with the key that req_cnf names.',
    ],
  }),
  ...refusals('temporarily_unavailable', {
    client_keys_unavailable: [
      'the registered keys of the client are not available now',
      'The jwks_uri of the client cannot be read. Try again; the log has the reason.',
    ],
  }),
};
