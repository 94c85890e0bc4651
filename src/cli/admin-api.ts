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
  /** Unencoded path segments after `/admin/`: `['clients', clientId]`. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Set for requests that take longer than others, with the advice to print on timeout. */
  readonly slow?: { readonly timeout: number; readonly advice: string };
  readonly headers?: Readonly<Record<string, string>>;
}

/** A successful answer (2xx) of the admin API. */
export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The JSON value; undefined: the answer has no body. */
  readonly body: unknown;
}

/** Sends a request. Throws AdminRefusal, and CommandError (exit code 4) without an answer. */
export type AdminApi = (request: AdminRequest) => Promise<AdminAnswer>;

const unexplained = { detail: 'no reason given', errors: [] };
const problemSchema = v.object({
  detail: v.string(),
  errors: v.fallback(v.array(v.object({ member: v.string(), detail: v.string() })), []),
});

/** Problem details of a refusal (RFC 9457), as documented in docs/reference/admin-api.md. */
export type Problem = v.InferOutput<typeof problemSchema>;

/** The admin API refused the request: exit code 3, or 4 if a retry makes sense (503). */
export class AdminRefusal extends CommandError {
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    const { detail, errors } = problem;
    // The server's text is shown, but must not control the terminal.
    const lines = errors.map((fault) => printable(`  ${fault.member}: ${fault.detail}`));
    super(
      status === 503 ? exitCodes.unreachable : exitCodes.refused,
      [`The admin API answered ${status}: ${printable(detail)}`, ...lines].join('\n'),
    );
    this.status = status;
    this.problem = problem;
  }
}

/** Milliseconds to wait for an answer. */
const timeout = 30_000;

/**
 * The admin API at `adminUrl`, else `HOLDFAST_ADMIN_URL`, else at its default address on this
 * machine, with the token of `HOLDFAST_ADMIN_TOKEN[_FILE]`. Throws CommandError: exit code 2 for
 * the argument, 5 for a variable.
 */
export async function adminApi(
  { env }: Pick<Terminal, 'env'>,
  adminUrl?: string,
): Promise<AdminApi> {
  const base = baseOf(env, adminUrl);
  const token = await secretOf({ env }, 'HOLDFAST_ADMIN_TOKEN');
  if (token === undefined)
    throw configurationError('Set HOLDFAST_ADMIN_TOKEN_FILE to a file with the admin token.');
  if (!/^[\x21-\x7e]+$/.test(token))
    throw configurationError('The admin token has characters that no admin token has.');
  return async ({ method, path, query = {}, body, headers = {}, slow }) => {
    const url = new URL(
      `${base.href.replace(/(\/admin)?\/*$/, '')}/admin/${path.map(segment).join('/')}`,
    );
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
    if (!ok) throw refusalOf(status, response.text, url);
    const value = jsonOf(response.text);
    if (value === undefined && response.text !== '')
      throw new CommandError(exitCodes.failed, 'The admin API answered something else than JSON.');
    return { status, headers: fields, body: value };
  };
}

/** The URL of the admin API; a fault names the option or the variable. Throws CommandError. */
function baseOf(env: Terminal['env'], adminUrl: string | undefined): URL {
  const [name, fault] =
    adminUrl === undefined
      ? (['HOLDFAST_ADMIN_URL', configurationError] as const)
      : (['--admin-url', usageError] as const);
  try {
    const url = httpUrl(adminUrl ?? (env['HOLDFAST_ADMIN_URL'] || 'http://127.0.0.1:8081'));
    // The token is sent over plain HTTP to this machine only.
    refusePlainHttp(url, false);
    return url;
  } catch (error) {
    throw fault(`${name}: ${(error as Error).message}`);
  }
}

function refusalOf(status: number, text: string, { origin }: URL): CommandError {
  const { success, output } = v.safeParse(problemSchema, jsonOf(text));
  if (!success && status < 500)
    return new CommandError(
      exitCodes.refused,
      `The server at ${origin} answered ${status}, but it is not the admin API: ` +
        'check HOLDFAST_ADMIN_URL or --admin-url.',
    );
  const problem = success ? output : unexplained;
  // This command always sends a token, so none can be missing.
  const detail = status === 401 ? 'the admin token is not accepted' : problem.detail;
  return new AdminRefusal(status, { ...problem, detail });
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
      `No answer from the admin API at ${url.origin}: ${codeOf((error as Error).cause ?? error)}.${advice}`,
    );
  }
}

/** One path segment. URLs resolve dots, even encoded ones, so a name of dots has no URL. */
function segment(name: string): string {
  if (name === '' || name === '.' || name === '..')
    throw usageError(`${JSON.stringify(name)} is not a name.`);
  return encodeURIComponent(name);
}
