import { refusals } from './refusal.ts';

const unavailable = 'the server cannot answer now; try again later';
const tooMany = 'too many requests; try again later';

/** How the request arrived, and whether the server could answer it. */
export const requestRefusals = {
  ...refusals('invalid_request', {
    authorization_repeated: [
      'the Authorization header field is repeated',
      'Send exactly one Authorization header field.',
    ],
    content_type: [
      'the body must be application/x-www-form-urlencoded',
      'Send the parameters as a form, with this content type.',
    ],
    body_too_large: ['the request is too large', 'Send less; look for a repeated parameter.'],
    form_too_long: ['the form has too many parameters', 'Send only the parameters you need.'],
    form_encoding_invalid: [
      'the form is not percent-encoded UTF-8',
      'Let a library encode the form, such as URLSearchParams.',
    ],
    form_zero_byte: ['the form contains a zero byte', 'Remove the character U+0000.'],
    parameter_repeated: ['a parameter is repeated', 'Send each parameter once (RFC 6749 §3.2).'],
    resource_repeated: ['a resource is named twice', 'Send resource once.'],
    request_malformed: [
      'the request is malformed',
      'The HTTP message itself is wrong; the log names the code of the HTTP layer.',
    ],
    token_missing: ['the parameter token is required', 'Send the access token in token.'],
    token_of_another_client: [
      'the token was not issued to this client',
      'Only the client of a token, or an additional holder, may revoke it (RFC 7009 §2.1).',
    ],
    several_proofs: [
      'one proof at a time: dpop_proof or client_certificate',
      'Send what came with the access token: a DPoP proof or a certificate, not both.',
    ],
    htm_or_htu_missing: [
      'dpop_proof needs htm and htu, the method and URI of the request that it came with',
      'Send htm and htu of the request that you received, beside dpop_proof.',
    ],
  }),
  ...refusals('temporarily_unavailable', {
    load_shed: [
      unavailable,
      'The server sheds load. Wait for Retry-After, then try again; the operator adds capacity.',
    ],
    body_half_sent: [
      unavailable,
      'The body arrived too slowly while many others did. Send the whole request without pauses.',
    ],
    rate_limit_client: [
      tooMany,
      'Status 429: the client exceeded RATE_LIMIT_PER_CLIENT. Keep tokens until they expire.',
    ],
    rate_limit_address: [
      tooMany,
      'Status 429: the address exceeded RATE_LIMIT_PER_ADDRESS. Wait for Retry-After.',
    ],
    store_unavailable: [
      unavailable,
      'The database or Redis does not answer; /health/ready names it and the log has the cause.',
    ],
    signing_key_unavailable: [
      unavailable,
      'This replica lacks the key-encryption key of the signing key. Give it the current one.',
    ],
    signing_key_missing: [
      unavailable,
      'No key signs with this algorithm yet. Try again; if it persists, look at the signing keys.',
    ],
    key_server_busy: [
      unavailable,
      'A jwks_uri was fetched a moment ago, or too many are being fetched. Try again later.',
    ],
  }),
  ...refusals('server_error', {
    server_error: [
      'the server failed to answer this request',
      'A defect. The log has the full error under the request id.',
    ],
  }),
};
