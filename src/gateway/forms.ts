import type { IncomingMessage } from 'node:http';
import { OAuthError } from '../domain/oauth-error.ts';
import { headerFields } from '../http/request/header-fields.ts';
import {
  type ForwardedRequest,
  uriAtOrigin,
  uriOf,
  wholeUri,
} from '../protocol/gateway/forwarded-request.ts';

/** A gateway's question, besides the request that it is about. */
export interface GatewayQuestion
  extends Pick<ForwardedRequest, 'target' | 'method' | 'uri' | 'scopes'> {
  /** Whether its upstream wants an assertion. */
  readonly wantsAssertion: boolean;
  /** Whether it sets the field of the client certificate, which otherwise comes from the client. */
  readonly readsCertificate: boolean;
}

/** Reads a question from the fields of its form, and from no others. Throws OAuthError. */
export type ReadQuestion = (request: IncomingMessage) => GatewayQuestion;

/** Caddy, HAProxy and Traefik: `GET /forward-auth?audience=…`. */
export const forwardAuth: ReadQuestion = (request) => {
  const [method, scheme, host, target] = ['method', 'proto', 'host', 'uri'].map((part) =>
    once(request, `x-forwarded-${part}`),
  ) as [string, string, string, string];
  const uri = uriOf({ scheme, host, target });
  return { ...queryOf(request), method: methodOf(method), uri: () => uri };
};

/** nginx: `GET /auth-request?audience=…`. Not for gateways that accept a `Host` with a slash. */
export const authRequest: ReadQuestion = (request) => {
  const uri = wholeUri(once(request, 'x-original-url'));
  return {
    ...queryOf(request),
    method: methodOf(once(request, 'x-original-method')),
    uri: () => uri,
  };
};

/** Envoy: the original method, and the original path behind `/ext-authz/{resource-server-id}`. */
export const extAuthz: ReadQuestion = (request) => {
  const [, id, target] = /^\/ext-authz\/([\w-]{1,64})(\/.*)$/.exec(request.url ?? '') ?? [];
  if (id === undefined || target === undefined) throw new OAuthError('gateway_fields_invalid');
  const host = once(request, 'host');
  return {
    target: { id },
    method: methodOf(request.method ?? ''),
    uri: (origins) => uriAtOrigin({ host, target }, origins),
    scopes: scopesOf(onceAtMost(request, 'holdfast-required-scope')),
    wantsAssertion: isTrue(onceAtMost(request, 'holdfast-want-assertion')),
    readsCertificate: isTrue(onceAtMost(request, 'holdfast-read-certificate')),
  };
};

function onceAtMost(request: IncomingMessage, name: string): string | undefined {
  const [value, ...more] = headerFields(request, name);
  if (more.length > 0) throw new OAuthError('gateway_fields_invalid');
  return value;
}

/** A field that is missing or repeated may come from the client. */
function once(request: IncomingMessage, name: string): string {
  const value = onceAtMost(request, name);
  if (value === undefined) throw new OAuthError('gateway_fields_invalid');
  return value;
}

/** RFC 9110 §9.1. */
function methodOf(text: string): string {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/.test(text))
    throw new OAuthError('gateway_fields_invalid');
  return text;
}

const parameters: ReadonlySet<string> = new Set(['audience', 'scope', 'assertion', 'certificate']);

/** An unknown or repeated parameter is a mistake that might leave out a check. */
function queryOf({ url = '' }: IncomingMessage): Omit<GatewayQuestion, 'method' | 'uri'> {
  const given = [...new URLSearchParams(url.slice(url.indexOf('?') + 1))];
  const query = new Map(given);
  const audience = query.get('audience');
  if (
    query.size !== given.length ||
    !given.every(([name]) => parameters.has(name)) ||
    audience === undefined
  )
    throw new OAuthError('gateway_parameters_invalid');
  return {
    target: { audience },
    scopes: scopesOf(query.get('scope')),
    wantsAssertion: isTrue(query.get('assertion')),
    readsCertificate: isTrue(query.get('certificate')),
  };
}

function scopesOf(text = ''): readonly string[] {
  const scopes = text.split(' ').filter((scope) => scope !== '');
  // They are part of a challenge (RFC 6749 §3.3).
  if (!scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)))
    throw new OAuthError('gateway_parameters_invalid');
  return scopes;
}

function isTrue(text = 'false'): boolean {
  if (text !== 'true' && text !== 'false') throw new OAuthError('gateway_parameters_invalid');
  return text === 'true';
}
