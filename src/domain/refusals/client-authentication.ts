import { refusals } from './refusal.ts';
import { platformTokenRefusals } from './trusted-issuer-tokens.ts';

/** One sentence for unknown, disabled and wrong clients, so that nobody can tell them apart. */
const failed = 'client authentication failed';
const notSigned =
  'the client assertion is not signed by a registered key of a client with this client_id';
const notValidYet = 'the client assertion is not valid yet';
const platformToken = 'the token of the platform does not authenticate a client here';
const svid = 'the X.509-SVID does not authenticate a client here';
const certificate = 'the client certificate forwarded by the proxy is not acceptable';

/** Client authentication (RFC 6749 §2.3, RFC 7523 §3, RFC 8705 §2). */
export const clientAuthenticationRefusals = {
  ...platformTokenRefusals('platform_token', 'invalid_client', platformToken),
  ...refusals('invalid_request', {
    several_credentials: [
      'more than one client credential was sent',
      'Send one of: Basic credentials, client_secret, client_assertion (RFC 6749 §2.3).',
    ],
    client_id_mismatch: [
      'client_id differs from the authenticated client',
      'Leave client_id out, or send the one in the Basic credentials.',
    ],
    assertion_type_unknown: [
      'client_assertion_type is not supported',
      'Use urn:ietf:params:oauth:client-assertion-type:jwt-bearer.',
    ],
    assertion_missing: ['client_assertion is missing', 'Send it beside client_assertion_type.'],
  }),
  ...refusals('invalid_client', {
    credentials_missing: [
      'client authentication is required',
      'Authenticate with the method that the client is registered for.',
    ],
    basic_malformed: [
      'the Authorization header field has no readable Basic credentials',
      'Form-encode client_id and secret, join them with a colon, then encode them in base64.',
    ],
    client_unknown: [failed, 'No client has this client_id. Register it, or correct the name.'],
    client_disabled: [failed, 'The client is disabled. An admin can enable it.'],
    auth_method_not_registered: [
      failed,
      'The client is registered for another token_endpoint_auth_method.',
    ],
    client_secret_mismatch: [failed, 'The secret is wrong, has expired or was removed.'],
    certificate_mismatch: [
      failed,
      'The certificate is not the registered one, has expired, or its chain is not trusted.',
    ],
    certificate_malformed: [
      'the client certificate is not acceptable',
      'The certificate of the TLS connection cannot be read. Issue another one.',
    ],
    certificate_header_untrusted: [
      certificate,
      'The header came from an address outside TRUSTED_PROXIES.',
    ],
    certificate_header_conflict: [
      certificate,
      'Several certificate headers arrived, or X-SSL-Client-Verify is NONE or repeated. The proxy must remove those of its clients.',
    ],
    certificate_header_malformed: [
      certificate,
      'The header is not of the form in CLIENT_CERTIFICATE_HEADER.',
    ],
    assertion_malformed: [
      'the client assertion is not a well-formed signed JWT',
      'Sign a compact JWS (RFC 7515 §7.1) with an accepted algorithm.',
    ],
    assertion_typ_mismatch: [
      'typ of the client assertion is not one for client authentication',
      'Leave typ out, or use JWT or client-authentication+jwt.',
    ],
    assertion_kid_invalid: [
      'kid of the client assertion is not a string',
      'Set kid to that of the registered key, or leave it out.',
    ],
    assertion_subject_mismatch: [
      'iss and sub of the client assertion must both be the client_id',
      'Set both claims to the client_id (RFC 7523 §3).',
    ],
    assertion_client_id_mismatch: [failed, 'client_id is not the iss of the client assertion.'],
    assertion_client_unknown: [notSigned, 'No client has this client_id. Register it.'],
    assertion_client_disabled: [notSigned, 'The client is disabled. An admin can enable it.'],
    assertion_method_not_registered: [
      notSigned,
      'Register the client with token_endpoint_auth_method private_key_jwt.',
    ],
    assertion_keys_unavailable: [
      notSigned,
      'The jwks_uri of the client cannot be read. The log has the reason.',
    ],
    assertion_key_unknown: [notSigned, 'No registered key has this kid and fits the algorithm.'],
    assertion_signature_invalid: [notSigned, 'Sign with the registered key.'],
    assertion_aud_mismatch: [
      'aud of the client assertion must be the issuer identifier, as a single string',
      'Copy issuer from the metadata, or register client_assertion_audiences.',
    ],
    assertion_exp_invalid: ['the client assertion needs a numeric exp', 'Set exp in seconds.'],
    assertion_expired: [
      'the client assertion has expired',
      'Make a new assertion for each request, and check the clock of the client.',
    ],
    assertion_exp_too_far: [
      'exp of the client assertion is too far ahead',
      'Set exp a minute ahead; CLIENT_ASSERTION_MAX_LIFETIME is the maximum.',
    ],
    assertion_not_yet_valid: [notValidYet, 'iat or nbf is in the future. Check the clock.'],
    assertion_iat_too_old: [
      'iat of the client assertion is too old',
      'Make a new assertion for each request.',
    ],
    assertion_jti_invalid: [
      'the client assertion needs a jti of 1 to 256 characters',
      'Set jti to a new random value for each assertion.',
    ],
    platform_token_client_unusable: [
      platformToken,
      'The client of the rule is gone, disabled, or registered for another method.',
    ],
    platform_token_client_id_mismatch: [
      platformToken,
      'client_id names another client than the rule. Leave it out.',
    ],
    platform_token_without_proof: [
      'tokens of platforms authenticate at the token endpoint only',
      'Nothing proves a key here, so the token might be stolen. An admin can revoke the token instead.',
    ],
    svid_malformed: [
      svid,
      'It must be a valid leaf certificate for signatures with exactly one URI, a SPIFFE ID (SPIFFE X509-SVID §4), and a strong key.',
    ],
    svid_not_anchored: [
      svid,
      'Its trust domain is not trusted, or no certificate of its bundle has issued it.',
    ],
    svid_no_rule: [svid, 'No rule matches; the audit trail says why not.'],
    svid_client_unusable: [
      svid,
      'The client of the rule is gone, disabled, or registered for another method.',
    ],
    svid_client_id_mismatch: [svid, 'client_id is neither the SPIFFE ID nor the client.'],
    assertion_replayed: [
      'the client assertion was used before',
      'Make a new assertion for each request. If you did, somebody else may have a copy.',
    ],
  }),
};
