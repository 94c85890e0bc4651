import { OAuthError } from '../../domain/oauth-error.ts';
import type { ClientCertificate } from '../../x509/client-certificate.ts';

/** A request that a gateway asks about, as it came to the gateway. */
export interface ForwardedRequest {
  /** Which resource server it is for, on the word of the gateway's configuration. */
  readonly target: { readonly audience: string } | { readonly id: string };
  readonly method: string;
  /**
   * Absolute URI; its host is the client's word. Where the gateway does not say the scheme, it is
   * that of the origin with this host.
   */
  readonly uri: (origins: readonly string[]) => string;
  /** Scope tokens that it needs, all of them. */
  readonly scopes: readonly string[];
  /** Every `Authorization` header field. */
  readonly authorization: readonly string[];
  /** Every `DPoP` header field. */
  readonly dpop: readonly string[];
  /** Reads the client certificate that the gateway forwards, if any. Throws OAuthError. */
  readonly certificate: () => ClientCertificate | undefined;
}

/** The parts of a URI, as a gateway names them. */
interface UriParts {
  readonly scheme: string;
  readonly host: string;
  /** Path and query. */
  readonly target: string;
}

/**
 * The URI of these parts. Nothing in a part can end it early, so no client moves the border between
 * host and path. Throws OAuthError when they are not those of an http(s) request.
 */
export function uriOf({ scheme, host, target }: UriParts): string {
  const isRight =
    /^https?$/.test(scheme) &&
    /^[A-Za-z0-9._-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](:\d{1,5})?$/.test(host) &&
    /^\/[\x21\x22\x24-\x5b\x5d-\x7e]*$/.test(target);
  const uri = `${scheme}://${host}${target}`;
  if (!isRight || !URL.canParse(uri)) throw new OAuthError('gateway_fields_invalid');
  return uri;
}

/**
 * Checks a whole URI in the same way. Where a client's `Host` had a path in it, nothing here can
 * tell: the gateway must refuse a `Host` with a slash.
 */
export function wholeUri(text: string): string {
  const [, scheme = '', host = '', target = ''] = /^(https?):\/\/([^/]+)(\/.*)$/.exec(text) ?? [];
  return uriOf({ scheme, host, target });
}

/** Makes a URI without a given scheme, which is that of the origin with this host. */
export function uriAtOrigin(
  { host, target }: Omit<UriParts, 'scheme'>,
  origins: readonly string[],
): string {
  for (const origin of origins) {
    const uri = uriOf({ scheme: new URL(origin).protocol.slice(0, -1), host, target });
    if (new URL(uri).origin === origin) return uri;
  }
  throw new OAuthError('gateway_origin_unlisted');
}
