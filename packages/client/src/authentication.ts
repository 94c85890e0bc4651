import * as oauth from 'oauth4webapi';
import { randomJti } from './base64url.ts';
import { HolderError } from './holder-error.ts';
import { signedJwt } from './jws.ts';
import type { HolderKey, KeySource } from './keys/holder-key.ts';
import { inBrowser } from './runtime.ts';

/**
 * How the client authenticates at the token endpoint (RFC 7591 §2, `token_endpoint_auth_method`).
 */
export type Authentication =
  | {
      readonly method: 'client_secret_basic' | 'client_secret_post';
      readonly secret: string;
    }
  | {
      readonly method: 'private_key_jwt';
      /** Default: the key that the tokens are bound to. */
      readonly key?: KeySource;
      /** `kid` of the key in the client's registered JWK Set; default: its RFC 7638 thumbprint. */
      readonly kid?: string;
    }
  | {
      /** By a token of the platform (RFC 7523 §2.2); `spiffe_jwt`: a JWT-SVID. */
      readonly method: 'workload_jwt' | 'spiffe_jwt';
      /** Returns the token for each token request; or the file that contains it. */
      readonly token: (() => string | Promise<string>) | { readonly file: string };
    }
  /** The `fetch` or `dispatcher` in the options presents the certificate. */
  | { readonly method: 'tls_client_auth' | 'self_signed_tls_client_auth' }
  | { readonly method: 'none' };

/** Authenticates one token request; `now` in seconds since the epoch. */
export type Authenticate = (now: () => number) => oauth.ClientAuth;

/** Refuses a secret in a browser, where any visitor can read it. Throws HolderError. */
export function refuseSecretInBrowser(authentication: Authentication): void {
  if ('secret' in authentication && inBrowser())
    throw new HolderError(
      'secret_in_browser',
      'everybody can read a client secret in a browser: use private_key_jwt with a key of its own',
    );
}

/** The authentication of a client. `key` is the key for `private_key_jwt`. */
export function authenticate(
  authentication: Authentication,
  key: HolderKey | undefined,
): Authenticate {
  switch (authentication.method) {
    case 'client_secret_basic':
      return () => oauth.ClientSecretBasic(authentication.secret);
    case 'client_secret_post':
      return () => oauth.ClientSecretPost(authentication.secret);
    case 'tls_client_auth':
    case 'self_signed_tls_client_auth':
      return () => oauth.TlsClientAuth();
    case 'none':
      return () => oauth.None();
    case 'workload_jwt':
    case 'spiffe_jwt':
      return () => byPlatformToken(authentication);
    case 'private_key_jwt': {
      if (key === undefined)
        throw new HolderError('invalid_options', 'private_key_jwt needs a key');
      const kid = authentication.kid ?? key.thumbprint;
      return (now) => byAssertion(key, kid, now);
    }
  }
}

const assertionTypes = {
  workload_jwt: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  spiffe_jwt: 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe',
} as const;

function byPlatformToken({
  method,
  token,
}: Extract<Authentication, { readonly token: unknown }>): oauth.ClientAuth {
  return async (_server, { client_id }, body) => {
    const assertion =
      typeof token === 'function'
        ? await token()
        : await (await import('./token-file.ts')).tokenInFile(token.file);
    body.set('client_id', client_id);
    body.set('client_assertion_type', assertionTypes[method]);
    body.set('client_assertion', assertion);
  };
}

/** Seconds from `iat` to `exp` of a client assertion. */
const lifetime = 60;

function byAssertion(key: HolderKey, kid: string, now: () => number): oauth.ClientAuth {
  const { pair } = key;
  if (pair !== undefined)
    return oauth.PrivateKeyJwt(
      { key: pair.privateKey, kid },
      {
        [oauth.modifyAssertion]: (_header, claims) => {
          const iat = now();
          Object.assign(claims, { iat, nbf: iat, exp: iat + lifetime });
        },
      },
    );
  return async ({ issuer }, { client_id }, body) => {
    const iat = now();
    const claims = { iss: client_id, sub: client_id, aud: issuer, jti: randomJti(), iat };
    body.set('client_id', client_id);
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    body.set('client_assertion', await signedJwt({ kid }, { ...claims, exp: iat + lifetime }, key));
  };
}
