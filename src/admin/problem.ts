import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { StoreUnavailable } from '../oauth-error.ts';

/** A refusal of the admin API (RFC 9457); `member` names the offending member. */
export class Problem extends Error {
  readonly status: number;
  readonly member: string | undefined;
  constructor(status: number, detail: string, member?: string) {
    super(detail);
    this.status = status;
    this.member = member;
  }
}

/** Answers anything thrown as `application/problem+json`; what is not a Problem says nothing of its cause. */
export function problemHandler(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, message, member } = asProblem(thrown);
  if (status >= 500) request.log.error({ err: thrown }, 'admin request failed');
  if (status === 503) void reply.header('retry-after', '1');
  if (status === 401) void reply.header('www-authenticate', 'Bearer realm="holdfast admin"');
  const body = { type: 'about:blank', status, detail: message, ...(member !== undefined && { member, error: 'invalid_client_metadata' }) };
  return reply.code(status).header('cache-control', 'no-store').type('application/problem+json').send(JSON.stringify(body));
}

function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  if (thrown instanceof StoreUnavailable) return new Problem(503, 'the store is unavailable, try again');
  const { statusCode, validation } = (thrown ?? {}) as Partial<FastifyError>;
  const [fault] = validation ?? [];
  if (fault !== undefined) {
    const extra = fault.params['additionalProperty'] ?? fault.params['missingProperty'];
    const path = [...fault.instancePath.split('/').slice(1), ...(typeof extra === 'string' ? [extra] : [])].join('.').replace(/\.(\d+)/g, '[$1]');
    return new Problem(400, `the member ${fault.message ?? 'is not acceptable'}`, path === '' ? 'body' : path);
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new Problem(statusCode, 'the request is malformed');
  return new Problem(500, 'the server failed to answer this request');
}
