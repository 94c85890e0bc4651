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
  let fetched = issuer.href;
  const response = await oauth.discoveryRequest(issuer, {
    algorithm: 'oauth2',
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: (url, { body: _none, ...init }) => {
      fetched = url;
      return askServer(send, url, init);
    },
    signal: AbortSignal.timeout(timeout),
  });
  const copy = response.clone();
  try {
    const metadata = await oauth.processDiscoveryResponse(issuer, response);
    await copy.body?.cancel();
    return metadata;
  } catch {
    // Not awaited: a branch of a clone waits for the other one, which is read below.
    void response.body?.cancel().catch(() => undefined);
    const { status } = response;
    throw new HolderError(
      status >= 500 ? 'server_unreachable' : 'server_metadata_invalid',
      `${fetched} answered ${await wrongAnswer(copy, issuer)}`,
      { status },
    );
  }
}

/** What was answered instead of the metadata; reads the whole response. */
async function wrongAnswer(response: Response, { href }: URL): Promise<string> {
  const named = await issuerIn(response);
  if (response.status !== 200) return `${response.status}: does an authorization server run there?`;
  if (named === undefined || new URL(named).href === href)
    return 'no metadata of an authorization server (RFC 8414)';
  const asked = href.replace(/\/$/, '');
  const advice = 'set issuer to what it answered, if you trust it';
  return `the metadata of the issuer ${named}, not of ${asked}: ${advice}`;
}

/** The issuer in a response, if it is a printable URL. */
async function issuerIn(response: Response): Promise<string | undefined> {
  try {
    const { issuer } = (await response.json()) as { readonly issuer?: unknown };
    const printable =
      typeof issuer === 'string' &&
      /^https?:[\x21-\x7e]{1,200}$/.test(issuer) &&
      URL.canParse(issuer);
    return printable ? issuer : undefined;
  } catch {
    return undefined;
  }
}
