import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Who may use the bridge. */
export interface BridgePolicy {
  /** Whether a lowercase `Host` field names the bridge. */
  readonly isOwnHost: (host: string) => boolean;
  /** Origins of pages that may use the bridge. */
  readonly origins: ReadonlySet<string>;
  /** The local secret; undefined: any local program that reaches the bridge may use it. */
  readonly secret: string | undefined;
  /** True: it listens on TCP, which web pages can reach. */
  readonly pagesReachIt: boolean;
}

/** Why a request is not forwarded. */
export interface LocalRefusal {
  /** HTTP status. */
  readonly status: number;
  readonly detail: string;
}

/** The field with the local secret. */
export const secretField = 'holdfast-bridge-secret';

/**
 * Why a local program's request is refused; undefined: it is forwarded. Rules about browsers:
 * docs/decisions/0011-who-may-use-the-bridge.md.
 */
export function localRefusal(
  request: IncomingMessage,
  policy: BridgePolicy,
): LocalRefusal | undefined {
  // They echo the request, including token and proof (RFC 9110 §9.3.8).
  if (/^TRAC[EK]$/i.test(request.method ?? ''))
    return { status: 405, detail: 'TRACE and TRACK are not for this bridge' };
  const { host: [host = '', ...more] = [] } = request.headersDistinct;
  if (more.length > 0 || !policy.isOwnHost(host.toLowerCase()))
    return { status: 421, detail: 'the Host field does not name this bridge' };
  const target = localTarget(request.url ?? '', policy);
  if (target === undefined)
    return { status: 421, detail: 'the request is for another origin than that of this bridge' };
  if (isFromPage(request, policy))
    return { status: 403, detail: 'web pages may not use this bridge' };
  return withoutSecret(request, policy) ?? withOwnToken(request, policy) ?? badFraming(request);
}

/**
 * Path and query of a request target in origin-form, or in absolute-form that names the bridge (RFC
 * 9112 §3.2); undefined: it is not for the bridge.
 */
export function localTarget(
  target: string,
  { isOwnHost }: Pick<BridgePolicy, 'isOwnHost'>,
): string | undefined {
  if (target.includes('#')) return undefined;
  if (target.startsWith('/')) return target;
  const [, host = '', path = ''] = /^http:\/\/([^/?#]*)(.*)$/i.exec(target) ?? [];
  if (!isOwnHost(host.toLowerCase())) return undefined;
  return path.startsWith('/') ? path : `/${path}`;
}

/** `User-Agent` names of browsers and of their parts that fetch media and icons. */
const browsers: ReadonlySet<string> = new Set([
  'applecoremedia',
  'com.apple.webkit.gpu',
  'com.apple.webkit.networking',
  'com.apple.webkit.webcontent',
  'mobilesafari',
  'mozilla',
  'networkingextension',
  'nsplayer',
  'opera',
  'quicktime',
  'safari',
  'stagefright',
  'windows-media-player',
]);

function isFromPage(request: IncomingMessage, { origins, pagesReachIt }: BridgePolicy): boolean {
  const { origin, 'user-agent': agent = [] } = request.headersDistinct;
  if (origin !== undefined) return origin.some((name) => !origins.has(name));
  const { 'sec-fetch-mode': mode, ...others } = request.headersDistinct;
  if (Object.keys(others).some((name) => name.startsWith('sec-fetch-'))) return true;
  // Node.js sends only this field; a page in these modes also sends Origin or Sec-Fetch-Site.
  if (mode?.some((value) => !/^(cors|websocket)$/.test(value)) === true) return true;
  return (
    pagesReachIt && agent.some((text) => browsers.has(text.replace(/\/.*/s, '').toLowerCase()))
  );
}

function withoutSecret(
  request: IncomingMessage,
  { secret }: BridgePolicy,
): LocalRefusal | undefined {
  if (secret === undefined) return undefined;
  const { [secretField]: given = [], authorization = [] } = request.headersDistinct;
  const all = [...given, ...authorization.map((value) => value.replace(/^bearer +/i, ''))];
  if (all.some((value) => same(value, secret))) return undefined;
  const detail = "send the bridge's secret in Holdfast-Bridge-Secret: it is missing or wrong";
  return { status: 401, detail };
}

function withOwnToken(
  { headersDistinct: { authorization, dpop, pop } }: IncomingMessage,
  { secret }: BridgePolicy,
): LocalRefusal | undefined {
  const isSecret = (value: string) =>
    secret !== undefined && same(value.replace(/^bearer +/i, ''), secret);
  if (dpop === undefined && pop === undefined && (authorization ?? []).every(isSecret))
    return undefined;
  return { status: 400, detail: 'the bridge adds token and proof: send none of your own' };
}

/** Refuses transfer encodings that are not decoded here (RFC 9112 §6.1). */
function badFraming({ headersDistinct }: IncomingMessage): LocalRefusal | undefined {
  const { 'transfer-encoding': encodings = [] } = headersDistinct;
  if (encodings.every((value) => value.toLowerCase() === 'chunked') && encodings.length <= 1)
    return undefined;
  return { status: 501, detail: 'of transfer encodings the bridge knows chunked alone' };
}

function same(one: string, other: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(one), hash(other));
}
