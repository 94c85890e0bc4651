import * as v from 'valibot';
import { refusePlainHttp } from '../../packages/client/src/options.ts';
import { CommandError, configurationError, exitCodes, usageError } from './exit-codes.ts';
import { httpUrl } from './http-target.ts';
import { jsonOf } from './json.ts';
import { codeOf, secretOf } from './secret.ts';
import { printable, type Terminal } from './terminal.ts';

/** One request to the admin API. */
export interface AdminRequest {
  readonly method: string;
  /** Parts of the path behind `/admin/`, not encoded: `['clients', clientId]`. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Where it takes longer than other requests, and what to say then. */
  readonly slow?: { readonly timeout: number; readonly advice: string };
  readonly headers?: Readonly<Record<string, string>>;
}

/** A successful answer (2xx) of the admin API. */
export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The JSON value; undefined: the answer has none. */
  readonly body: unknown;
}

/** Sends a request. Throws AdminRefusal, and CommandError (exit code 4) without an answer. */
export type AdminApi = (request: AdminRequest) => Promise<AdminAnswer>;

const unexplained = { detail: 'no reason given', errors: [] };
const problemSchema = v.fallback(
  v.object({
    detail: v.fallback(v.string(), unexplained.detail),
    errors: v.fallback(v.array(v.object({ member: v.string(), detail: v.string() })), []),
  }),
  unexplained,
);

/** Problem details of a refusal (RFC 9457), as docs/reference/admin-api.md has them. */
export type Problem = v.InferOutput<typeof problemSchema>;

/** The admin API refused the request: exit code 3, or 4 where another try makes sense (503). */
export class AdminRefusal extends CommandError {
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    const { detail, errors } = problem;
    // What the server says is shown, but does not steer the terminal.
    const lines = errors.map((fault) => printable(`  ${fault.member}: ${fault.detail}`));
    super(
      status === 503 ? exitCodes.unreachable : exitCodes.refused,
      [`The admin API answered ${status}: ${printable(detail)}`, ...lines].join('\n'),
    );
    this.status = status;
    this.problem = problem;
  }
}

/** Milliseconds until an answer is no longer waited for. */
const timeout = 30_000;

/**
 * The admin API at `adminUrl`, else `HOLDFAST_ADMIN_URL`, else where a server on this machine has
 * it, with the token of `HOLDFAST_ADMIN_TOKEN[_FILE]`. Throws CommandError (exit code 5).
 */
export async function adminApi(
  { env }: Pick<Terminal, 'env'>,
  adminUrl = env['HOLDFAST_ADMIN_URL'] || 'http://127.0.0.1:8081',
): Promise<AdminApi> {
  const base = httpUrl(adminUrl);
  // The token goes over plain HTTP to this machine only.
  refusePlainHttp(base, false);
  const token = await secretOf({ env }, 'HOLDFAST_ADMIN_TOKEN');
  if (token === undefined)
    throw configurationError('Set HOLDFAST_ADMIN_TOKEN_FILE to a file with the admin token.');
  if (!/^[\x21-\x7e]+$/.test(token))
    throw configurationError('The admin token has characters that no admin token has.');
  return async ({ method, path, query = {}, body, headers = {}, slow }) => {
    const url = new URL(`${base.href.replace(/\/*$/, '')}/admin/${path.map(segment).join('/')}`);
    url.search = new URLSearchParams(query).toString();
    const init = {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    };
    const response = await answerOf(url, init, slow);
    const { ok, status, headers: fields } = response;
    if (!ok) throw new AdminRefusal(status, v.parse(problemSchema, jsonOf(response.text)));
    const value = jsonOf(response.text);
    if (value === undefined && response.text !== '')
      throw new CommandError(exitCodes.failed, 'The admin API answered something else than JSON.');
    return { status, headers: fields, body: value };
  };
}

async function answerOf(url: URL, init: RequestInit, slow: AdminRequest['slow']) {
  try {
    const signal = AbortSignal.timeout(slow?.timeout ?? timeout);
    const response = await fetch(url, { ...init, redirect: 'error', signal });
    const { ok, status, headers } = response;
    return { ok, status, headers, text: await response.text() };
  } catch (error) {
    const advice = slow === undefined ? '' : ` ${slow.advice}`;
    throw new CommandError(
      exitCodes.unreachable,
      `No answer of the admin API at ${url.origin}: ${codeOf((error as Error).cause ?? error)}.${advice}`,
    );
  }
}

/** One part of a path. URLs resolve dots, encoded ones too, so a name of dots has no URL. */
function segment(name: string): string {
  if (name === '' || name === '.' || name === '..')
    throw usageError(`${JSON.stringify(name)} is not a name.`);
  return encodeURIComponent(name);
}
