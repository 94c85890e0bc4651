import { refusals } from './refusal.ts';

const only = 'The list is cnf_methods_supported of the resource server; prove a key that fits.';

/** How the token names its key (RFC 7800 §3). */
export const confirmationRefusals = refusals('unsupported_pop_key', {
  symmetric_key_in_the_clear: [
    'a symmetric key is sent over https only, or to an encryption key that the client registered',
    'Use an https issuer, or register a key with use enc (RFC 7800 §4).',
  ],
  client_encryption_key_unavailable: [
    'the encryption key of the client cannot be read',
    'Check jwks or jwks_uri of the client; the log has the reason.',
  ],
  certificate_confirmation_not_accepted: [
    'a certificate-bound token needs x5t#S256 in cnf_methods_supported of the resource server',
    'Add x5t#S256 to cnf_methods_supported of the resource server.',
  ],
  confirmation_method_not_accepted: [
    'the resource server does not accept a confirmation method that can name this key',
    'Add a fitting method to cnf_methods_supported of the resource server.',
  ],
  only_jkt_accepted: ['the resource server accepts only jkt, which cannot name this key', only],
  only_x5t_s256_accepted: [
    'the resource server accepts only x5t#S256, which cannot name this key',
    only,
  ],
  only_jwk_accepted: ['the resource server accepts only jwk, which cannot name this key', only],
  only_kid_accepted: ['the resource server accepts only kid, which cannot name this key', only],
  only_jku_accepted: ['the resource server accepts only jku, which cannot name this key', only],
  only_jwe_accepted: ['the resource server accepts only jwe, which cannot name this key', only],
});
