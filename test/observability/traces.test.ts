import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { diag } from '@opentelemetry/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { openCollector } from '../support/collector.ts';
import { basic } from '../support/server.ts';
import { storeKinds } from '../support/stores.ts';
import {
  assertionForm,
  clientSecret,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const parent = `00-${traceId}-${spanId}-01`;

const steps = [
  'authenticate_client',
  'validate_grant',
  'prove_possession',
  'prove_additional_holders',
  'bind',
  'issue_access_token',
  'record_proven_keys',
];

describe.each(storeKinds)('traces by OTLP, on $name', (kind) => {
  it('a token request is a span with its steps below, in the trace of its traceparent', async () => {
    const collector = await openCollector();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint };
    const fixture = await tokenEndpointFixture({ kind, env });
    // Many at once: none may get into the trace of another.
    const others = Array.from({ length: 20 }, async () => fixture.send());
    const fields = [['traceparent', parent]] as const;
    const answer = await fixture.send({ fields });
    await fixture.send({ fields, form: { grant_type: 'client_credentials', scope: 'none' } });
    await Promise.all(others);
    await fixture.server.stop();
    const mine = collector.spans.filter((span) => span.traceId === traceId);
    const [issued, refused] = mine.filter(({ name }) => name === 'POST /token');
    const below = (id: string | undefined) =>
      mine.filter(({ parentSpanId }) => parentSpanId === id).map(({ name }) => name);
    expect(answer.status).toBe(200);
    expect(issued?.parentSpanId).toBe(spanId);
    expect(below(issued?.spanId)).toEqual(steps);
    expect(issued?.attributes).toMatchObject({
      'http.route': '/token',
      'http.response.status_code': 200,
      'holdfast.grant': 'client_credentials',
      'holdfast.client_id': 'app',
    });
    expect(below(refused?.spanId)).toEqual(steps.slice(0, 2));
    expect(refused?.attributes).toMatchObject({ 'holdfast.reason': 'scope_not_allowed' });
    expect(new Set(collector.spans.map((span) => span.traceId)).size).toBeGreaterThan(20);
    await collector.close();
  });
});

describe('traceparent (W3C Trace Context §3.2)', () => {
  const open = async (env: Readonly<Record<string, string>>) => {
    const fixture = await tokenEndpointFixture({ env });
    const lines = () =>
      fixture.server.logs.filter(({ msg, route }) => msg === 'request' && route === '/token');
    return {
      close: async () => fixture.server.stop(),
      async logged(value: string) {
        const before = lines().length;
        await fixture.send({ fields: [['traceparent', value]] });
        while (lines().length === before) await sleep(5);
        return lines().at(-1)?.['trace_id'];
      },
    };
  };
  let quiet: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    quiet = await open({});
  });
  afterAll(async () => quiet.close());
  it.each([
    ['as it should be', parent, traceId],
    ['of a later version', `01-${traceId}-${spanId}-01-more`, traceId],
    ['of the forbidden version', `ff-${traceId}-${spanId}-01`, undefined],
    ['with more than its version has', `${parent}-more`, undefined],
    ['of zeros', `00-${'0'.repeat(32)}-${spanId}-01`, undefined],
    ['in capitals', parent.toUpperCase(), undefined],
    ['that is something else', clientSecret, undefined],
  ])('%s: the log line names its trace, or none', async (_what, value, expected) => {
    expect(await quiet.logged(value)).toBe(expected);
  });
  it('is in the log line where traces are sent, and a new trace where there is none', async () => {
    const collector = await openCollector();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint };
    const { logged, close } = await open(env);
    expect(await logged(parent)).toBe(traceId);
    expect(await logged('none')).toMatch(/^[0-9a-f]{32}$/);
    await close();
    await collector.close();
  });
});

describe('what a trace carries', () => {
  it('no secret, token, proof or assertion, whatever was sent where', async () => {
    const collector = await openCollector();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint };
    const fixture = await tokenEndpointFixture({ env });
    const proofs = await Promise.all([fixture.key.proof(), fixture.key.proof()]);
    const assertion = await fixture.key.assertion('signer');
    const fields = [
      ['traceparent', parent],
      ['tracestate', `secret=${clientSecret}`],
      ['baggage', `secret=${clientSecret}`],
    ] as const;
    const answer = await fixture.send({ dpop: proofs[0] ?? '', fields });
    const { access_token: token } = JSON.parse(answer.body) as { access_token: string };
    await fixture.send({ dpop: proofs[0] ?? '', fields });
    await fixture.send({ authorization: null, form: assertionForm(assertion), fields });
    await fixture.send({ authorization: basic('app', `${clientSecret}-wrong`) });
    await fixture.send({ form: { grant_type: clientSecret, scope: clientSecret } });
    await fixture.server.get(`/jwks?access_token=${token}&client_secret=${clientSecret}`);
    await fixture.server.get(`/nowhere/${clientSecret}`);
    const authorization = basic('app', clientSecret);
    await fixture.server.post('/introspect', { token }, { authorization });
    await fixture.server.post('/revoke', { token }, { authorization });
    await fixture.server.stop();
    const sent = collector.text();
    expect(collector.spans.length).toBeGreaterThan(20);
    const secrets = [...proofs, assertion, token, clientSecret].flatMap((value) => [
      value,
      ...value.split('.').filter((part) => part.length > 20),
    ]);
    expect(secrets.filter((secret) => sent.includes(secret))).toEqual([]);
    await collector.close();
  });
  it('a collector that is away costs no request, and one log line', async () => {
    // The SDK says when another server of this process had its log before: that line is none of it.
    diag.disable();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' };
    const fixture = await tokenEndpointFixture({ env });
    expect((await fixture.send()).status).toBe(200);
    const said = () => fixture.server.logs.filter(({ msg }) => msg === 'traces are not sent');
    while (said().length === 0) await sleep(20);
    await fixture.server.stop();
    expect(said()).toHaveLength(1);
  });
});

describe('without OTEL_EXPORTER_OTLP_ENDPOINT', () => {
  it('nothing of the SDK is among the files that a start reads', () => {
    const dist = join(import.meta.dirname, '../../dist');
    const read = new Set<string>();
    const visit = (file: string) => {
      if (read.has(file)) return;
      read.add(file);
      const text = readFileSync(join(dist, file), 'utf8');
      for (const [, next = ''] of text.matchAll(/^(?:import|export)\b[^;]*?from ?"\.\/([^"]+)"/gm))
        visit(next);
      for (const [, next = ''] of text.matchAll(/^import ?"\.\/([^"]+)"/gm)) visit(next);
    };
    const started = readdirSync(dist).filter((file) => /^(main|serve|run)\b.*\.js$/.test(file));
    for (const file of started) visit(file);
    const all = readdirSync(dist).filter((file) => file.endsWith('.js'));
    const withSdk = all.filter((file) =>
      /class OTLPTraceExporter|OTLPTraceExporter = class/.test(
        readFileSync(join(dist, file), 'utf8'),
      ),
    );
    expect(read.size).toBeGreaterThan(2);
    expect(withSdk).toHaveLength(1);
    expect(withSdk.filter((file) => read.has(file))).toEqual([]);
  });
  it.each([
    ['127.0.0.1:4318', /OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL/],
    ['http://collector:4318?key=x', /OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL/],
  ])('%s stops the start', (value, fault) => {
    expect(() => readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: value })).toThrow(fault);
  });
});
