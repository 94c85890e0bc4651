import * as oauth from 'oauth4webapi';
import { HolderError } from './holder-error.ts';
import { askServer, type Send } from './transport.ts';

/** Milliseconds after which metadata are fetched again. */
const maxAge = 3_600_000;

/** What is needed to fetch the metadata of a server. */
export interface MetadataOptions {
  readonly issuer: URL;
  readonly send: Send;
  readonly timeout: number;
  readonly clock: () => number;
}

/**
 * Metadata of the authorization server (RFC 8414), fetched when first needed and once an hour; if a
 * new fetch fails, the last ones are used. Throws HolderError.
 */
export function serverMetadata(options: MetadataOptions): () => Promise<oauth.AuthorizationServer> {
  let last: { readonly metadata: oauth.AuthorizationServer; readonly at: number } | undefined;
  let pending: Promise<oauth.AuthorizationServer> | undefined;
  const anew = async () => {
    try {
      const metadata = await requested(options);
      last = { metadata, at: options.clock() };
      return metadata;
    } catch (error) {
      if (last === undefined) throw error;
      return last.metadata;
    } finally {
      pending = undefined;
    }
  };
  return async () => {
    if (last !== undefined && options.clock() - last.at < maxAge) return last.metadata;
    pending ??= anew();
    return pending;
  };
}

async function requested({
  issuer,
  send,
  timeout,
}: MetadataOptions): Promise<oauth.AuthorizationServer> {
  // Plain HTTP was allowed or refused when the issuer was read.
  const response = await oauth.discoveryRequest(issuer, {
    algorithm: 'oauth2',
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: (url, { body: _none, ...init }) => askServer(send, url, init),
    signal: AbortSignal.timeout(timeout),
  });
  try {
    return await oauth.processDiscoveryResponse(issuer, response);
  } catch {
    await response.body?.cancel().catch(() => undefined);
    throw new HolderError(
      response.status >= 500 ? 'server_unreachable' : 'server_metadata_invalid',
      `no metadata of an authorization server with the issuer identifier ${issuer.href}`,
      { status: response.status },
    );
  }
}
