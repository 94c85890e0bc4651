import type { AdditionalHolder } from './additional-holders.ts';
import type { Authentication } from './authentication.ts';
import { HolderError } from './holder-error.ts';
import type { KeyAlgorithm, KeySource } from './keys/holder-key.ts';
import { isLoopback } from './runtime.ts';

/** What to request tokens for. */
export interface Target {
  /** The resource server (RFC 8707); default: the only one that the client may request. */
  readonly resource?: string;
  /** Scopes, separated by spaces; default: all that the client may have. */
  readonly scope?: string;
  /** Origins that `fetch` may call; default: that of `resource`. */
  readonly origins?: readonly string[];
}

/** Options of `createHolder`. */
export interface HolderOptions extends Target {
  /** Issuer identifier of the authorization server (RFC 8414). */
  readonly issuer: string;
  readonly clientId: string;
  /** Short for `authentication: { method: 'client_secret_basic', secret }`. Refused in browsers. */
  readonly clientSecret?: string;
  readonly authentication?: Authentication;
  /** Default: created on first use and kept. */
  readonly key?: KeySource;
  /** For created keys; default ES256. */
  readonly alg?: KeyAlgorithm;
  /** `kid` of the key in the client's registered JWK Set; default: its RFC 7638 thumbprint. */
  readonly kid?: string;
  /** The certificate that `fetch` or `dispatcher` presents and tokens are bound to, PEM or DER. */
  readonly certificate?: string | Uint8Array;
  /** Sends all requests; default: the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** A dispatcher of undici, passed to `fetch` with every request. */
  readonly dispatcher?: object;
  /** Requested with every token (`alt_cnf`); each may use it with its own key. */
  readonly additionalHolders?: readonly AdditionalHolder[];
  /** Milliseconds for each request to the authorization server; default 10,000. */
  readonly timeout?: number;
  /** Allows plain HTTP to servers and APIs beyond this machine. */
  readonly allowInsecureRequests?: boolean;
  /** The last DPoP nonce of each origin, in a map that you keep; default: a new map. */
  readonly nonces?: Map<string, string>;
  /** Milliseconds since the epoch; default `Date.now`. */
  readonly clock?: () => number;
}

/** How the client authenticates, from whichever option is set. Throws HolderError. */
export function authenticationOf({ clientSecret, authentication }: HolderOptions): Authentication {
  if (clientSecret === undefined) {
    if (authentication === undefined)
      throw unusable('say how the client authenticates: clientSecret or authentication');
    return authentication;
  }
  if (authentication !== undefined)
    throw unusable('clientSecret and authentication contradict each other: give one of them');
  return { method: 'client_secret_basic', secret: clientSecret };
}

/** The issuer as a URL. Throws HolderError. */
export function issuerOf({ issuer, allowInsecureRequests }: HolderOptions): URL {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw unusable(
      `issuer must begin with https://, or on this machine http://, and not be ${
        issuer === undefined ? 'undefined: is the variable set?' : JSON.stringify(issuer)
      }`,
    );
  refusePlainHttp(url, allowInsecureRequests);
  return url;
}

/** Refuses plain HTTP except to this machine, unless allowed. Throws HolderError. */
export function refusePlainHttp(url: URL, allowed: boolean | undefined): void {
  if (
    url.protocol === 'https:' ||
    (url.protocol === 'http:' && (allowed === true || isLoopback(url)))
  )
    return;
  const shown = url.origin === 'null' ? url.protocol : url.origin;
  throw unusable(`only https is allowed, and http on this machine, not ${shown}`);
}

/** Origins that may see the token. */
export function originsOf({ resource, origins }: Target): ReadonlySet<string> {
  if (origins !== undefined) return new Set(origins.map((one) => new URL(one).origin));
  return new Set(
    resource !== undefined && /^https?:/.test(resource) && URL.canParse(resource)
      ? [new URL(resource).origin]
      : [],
  );
}

function unusable(message: string): HolderError {
  return new HolderError('invalid_options', message);
}
