import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { CorruptRow, StoreUnavailable } from '../domain/oauth-error.ts';
import { type Fault, faultOf } from './schema-fault.ts';
import { answerBody, oneOf } from './schema-parts.ts';

/** A refusal of the admin API (RFC 9457); `faults` names every offending member. */
export class Problem extends Error {
  readonly status: number;
  readonly faults: readonly Fault[];
  constructor(status: number, detail: string, member?: string) {
    super(detail);
    this.status = status;
    this.faults = member === undefined ? [] : [{ member, detail }];
  }
}

/** A refusal that names several members. */
export class Faults extends Problem {
  override readonly faults: readonly Fault[];
  constructor(faults: readonly [Fault, ...Fault[]], status = 400) {
    super(status, faults[0].detail);
    this.faults = faults;
  }
}

/** Refuses a request for something that does not exist. Throws Problem. */
export function notFound(thing: string): never {
  throw new Problem(404, `there is no such ${thing}`);
}

/** Runs every check. Throws one refusal with all faults. */
export function checkAll(...checks: readonly (() => void)[]): void {
  const [first, ...more] = checks.flatMap((check) => {
    try {
      check();
      return [];
    } catch (refusal) {
      if (refusal instanceof Problem && refusal.faults.length > 0) return refusal.faults;
      throw refusal;
    }
  });
  if (first !== undefined) throw new Faults([first, ...more]);
}

/** A check that refuses a member if this is true. */
export function refuseIf(isFault: boolean, detail: string, member: string): () => void {
  return () => {
    if (isFault) throw new Problem(400, detail, member);
  };
}

/** The body of every refusal of the admin API. */
export const problemSchema = answerBody('Problem', {
  type: Type.Literal('about:blank'),
  title: Type.String({ description: 'The reason phrase of the status.' }),
  status: Type.Integer(),
  detail: Type.String({ description: 'The first fault as a sentence.' }),
  error: Type.Optional(
    oneOf(['invalid_client_metadata', 'invalid_request'], { description: 'RFC 7591 §3.2.2.' }),
  ),
  member: Type.Optional(
    Type.String({ description: 'The first offending member, such as `jwks.keys[0].d`.' }),
  ),
  errors: Type.Optional(
    Type.Array(Type.Object({ member: Type.String(), detail: Type.String() }), {
      description: 'Every offending member.',
    }),
  ),
});

/** Maximum faults that one answer names. */
const maxFaults = 1000;

/** Answers anything thrown as `application/problem+json`; only a Problem reveals its cause. */
export function problemHandler(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { status, message, faults } = asProblem(thrown);
  if (status >= 500) request.log.error({ reqId: request.id, err: thrown }, 'admin request failed');
  // The rest of the body is read and dropped, because closing the connection could lose the answer.
  if (status === 413) void reply.removeHeader('connection');
  if (status === 503) void reply.header('retry-after', '1');
  if (status === 401 && !reply.hasHeader('www-authenticate'))
    void reply.header('www-authenticate', 'Bearer realm="holdfast admin"');
  const [first] = faults;
  const body: Type.Static<typeof problemSchema> = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Refused',
    status,
    detail: message,
    ...(status === 400 && {
      error: first === undefined ? 'invalid_request' : 'invalid_client_metadata',
    }),
    ...(first !== undefined && { member: first.member, errors: faults.slice(0, maxFaults) }),
  };
  return reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(body));
}

function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  if (thrown instanceof StoreUnavailable)
    return new Problem(503, 'the store is unavailable; try again later');
  if (thrown instanceof CorruptRow)
    return new Problem(
      500,
      'a stored registration cannot be read; the log names it: delete it, and register it again',
    );
  const { statusCode, validation } = (thrown ?? {}) as Partial<FastifyError>;
  const [first, ...more] = (validation ?? []).map(faultOf);
  if (first !== undefined) return new Faults([first, ...more]);
  if (statusCode === 415)
    return new Problem(415, 'send the body as JSON, with Content-Type: application/json');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new Problem(statusCode, 'the request is malformed');
  return new Problem(500, 'the server failed to answer this request');
}
