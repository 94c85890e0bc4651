import { OAuthError } from '../../domain/oauth-error.ts';
import type { ClientCertificate } from '../../x509/client-certificate.ts';

/** A request that a gateway asks about, as the gateway received it. */
export interface ForwardedRequest {
  /** The resource server it is for, as the gateway's configuration says. */
  readonly target: { readonly audience: string } | { readonly id: string };
  readonly method: string;
  /**
   * Absolute URI; the client controls its host. If the gateway gives no scheme, it is that of the
   * origin with this host.
   */
  readonly uri: (origins: readonly string[]) => string;
  /** Scope tokens, all of which the request needs. */
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
 * Builds the URI from its parts. No part can end early, so no client moves the border between host
 * and path. Throws OAuthError unless they are those of an http(s) request.
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
 * Checks a whole URI in the same way. It cannot detect a path inside the client's `Host`, so the
 * gateway must refuse a `Host` with a slash.
 */
export function wholeUri(text: string): string {
  const [, scheme = '', host = '', target = ''] = /^(https?):\/\/([^/]+)(\/.*)$/.exec(text) ?? [];
  return uriOf({ scheme, host, target });
}

/** Builds a URI with the scheme of the origin that has this host. */
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
