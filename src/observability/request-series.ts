import type { Counter, Registry } from 'prom-client';
import { refusalReasons } from '../domain/refusal-reasons.ts';
import type { EndedRequest, Measurements } from '../ports/measurements.ts';
import { proofRule } from './proof-rules.ts';
import { quickCounter } from './quick-counter.ts';
import { quickHistogram } from './quick-histogram.ts';

/** Maximum clients with a separate label value; later ones are `other`. */
const maxClients = 1000;

/** Buckets in seconds, from a tenth of a millisecond to some seconds. */
export const durations = [
  0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5,
];

/** Creates a counter with these labels. */
export type MakeCounter = (name: string, help: string, ...labels: string[]) => Counter;

/** The series of requests, which are counted when a request has ended. */
export function requestSeries(
  registry: Registry,
  counter: MakeCounter,
  byClient: boolean,
): Measurements['request'] {
  const requests = quickCounter(registry, {
    name: 'holdfast_requests_total',
    help: 'Requests.',
    labels: ['route', 'status'],
  });
  const tokens = quickCounter(registry, {
    name: 'holdfast_token_requests_total',
    help: 'Token requests by grant, outcome (issued, refused, failed, aborted) and reason.',
    labels: ['grant', 'outcome', 'reason', ...(byClient ? ['client_id'] : [])],
  });
  const introspections = quickCounter(registry, {
    name: 'holdfast_introspections_total',
    help: 'Introspections by outcome (active, inactive, refused, failed, aborted).',
    labels: ['outcome'],
  });
  const refusals = counter(
    'holdfast_proof_refusals_total',
    'Refused DPoP proofs by rule of RFC 9449 §4.3.',
    'rule',
    'about',
  );
  const replays = counter(
    'holdfast_replays_total',
    'Proofs, assertions and ID tokens that were used before.',
    'reason',
  );
  const challenges = counter(
    'holdfast_nonce_challenges_total',
    'Answers that ask for a nonce in the proof.',
    'reason',
  );
  const seconds = quickHistogram(registry, {
    name: 'holdfast_request_seconds',
    help: 'Seconds from the head of a request to the end of its answer.',
    label: 'route',
    buckets: durations,
  });
  const clientOf = namedClients();
  return ({ method, route, status, seconds: took, fields }: EndedRequest): void => {
    const { reason = '', grant = 'none', client_id: client, proof } = fields;
    const outcome = outcomeOf(status, fields);
    requests(route, status === undefined ? 'none' : String(status));
    seconds(route, took);
    // Only POST counts: a preflight issues nothing, and costs a stranger nothing.
    const asks = method === 'POST';
    if (asks && route.endsWith('/token'))
      tokens(grant, outcome, reason, ...(byClient ? [clientOf(client)] : []));
    if (asks && route.endsWith('/introspect')) introspections(outcome);
    const fault = proof === 'valid' ? '' : (proof ?? reason);
    if (fault === '') return;
    const rule = proofRule(fault, fields['jose']);
    if (rule !== undefined) refusals.inc(rule);
    if (fault.endsWith('_replayed')) replays.inc({ reason: fault });
    if (isChallenge(fault)) challenges.inc({ reason: fault });
  };
}

function outcomeOf(status: number | undefined, { active }: EndedRequest['fields']): string {
  if (status === undefined) return 'aborted';
  if (status >= 500) return 'failed';
  if (status >= 400) return 'refused';
  return active === undefined ? 'issued' : active === 'true' ? 'active' : 'inactive';
}

function isChallenge(reason: string): boolean {
  return (
    reason in refusalReasons &&
    refusalReasons[reason as keyof typeof refusalReasons].code === 'use_dpop_nonce'
  );
}

/** Labels only authenticated clients; all others are `none`. */
function namedClients(): (client: string | undefined) => string {
  const known = new Set<string>();
  return (client) => {
    if (client === undefined) return 'none';
    if (known.size < maxClients) known.add(client);
    return known.has(client) ? client : 'other';
  };
}
