import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobRunner } from '../../src/app/job-runner.ts';
import { metrics } from '../../src/observability/metrics.ts';
import { scraper } from '../../src/observability/scrape.ts';
import { noPeers } from '../../src/ports/peers.ts';
import { testKey } from '../support/keys.ts';
import { freePort } from '../support/ports.ts';
import { freeAddress, type ServerProcess, startProcess } from '../support/process.ts';
import { scrapeOf } from '../support/scrape.ts';
import { adminToken, basic, formBody, startOfTime } from '../support/server.ts';
import { onSqlite, storeKinds, type TestStore } from '../support/stores.ts';
import {
  assertionForm,
  clientSecret,
  type TokenEndpointFixture,
  tokenEndpointFixture,
} from '../support/token-endpoint-fixture.ts';

describe.each(storeKinds)('metrics on $name', (kind) => {
  let fixture: TokenEndpointFixture;
  beforeAll(async () => {
    fixture = await tokenEndpointFixture({ kind });
  });
  afterAll(async () => fixture.server.stop());

  const scrape = async () => {
    const { adminUrl } = fixture.server;
    return scrapeOf(`${adminUrl}/metrics`, { authorization: `Bearer ${adminToken}` });
  };

  it('/metrics on the admin listener needs the admin token', async () => {
    const response = await fetch(`${fixture.server.adminUrl}/metrics`);
    expect(response.status).toBe(401);
    expect(await response.text()).not.toContain('holdfast_');
  });

  it('counts token requests by grant, outcome and reason, each step and each store', async () => {
    const before = await scrape();
    const proof = await fixture.key.proof();
    expect((await fixture.send({ dpop: proof })).status).toBe(200);
    await fixture.send({ dpop: proof });
    await fixture.send({ form: { grant_type: clientSecret } });
    await fixture.send({ authorization: null });
    const after = await scrape();
    const grown = (series: string) => (after.get(series) ?? 0) - (before.get(series) ?? 0);
    const tokens = (labels: string) => grown(`holdfast_token_requests_total{${labels}}`);
    const grant = 'grant="client_credentials"';
    expect({
      issued: tokens(`${grant},outcome="issued",reason=""`),
      replayed: tokens(`${grant},outcome="refused",reason="proof_replayed"`),
      unknown: tokens('grant="other",outcome="refused",reason="unsupported_grant_type"'),
      nobody: tokens(`${grant},outcome="refused",reason="credentials_missing"`),
      replays: grown('holdfast_replays_total{reason="proof_replayed"}'),
    }).toEqual({ issued: 1, replayed: 1, unknown: 1, nobody: 1, replays: 1 });
    expect(grown('holdfast_token_step_seconds_count{step="authenticate_client"}')).toBe(4);
    expect(grown('holdfast_token_step_seconds_count{step="issue_access_token"}')).toBe(2);
    expect(grown('holdfast_store_seconds_count{store="database"}')).toBeGreaterThan(0);
    expect(grown('holdfast_store_seconds_count{store="redis"}') > 0).toBe(
      kind.name.includes('Redis'),
    );
    expect([...after.keys()].join()).not.toContain(clientSecret);
  });

  it('what asks for no token counts as none: strangers could silence an alert by it', async () => {
    const counted = async () =>
      [...(await scrape())].filter(([name]) => /_(token_requests|introspections)_total/.test(name));
    const before = await counted();
    const { url } = fixture.server;
    const origin = 'https://elsewhere.example.com';
    const preflight = { origin, 'access-control-request-method': 'POST' };
    for (const path of ['/token', '/introspect'])
      for (const init of [{ method: 'OPTIONS', headers: preflight }, { method: 'GET' }])
        await fetch(`${url}${path}`, init);
    expect(await counted()).toEqual(before);
  });

  it.each([
    [-40, 'le="-30"', 'le="-60"'],
    [20, 'le="30"', 'le="10"'],
  ])(
    'RFC 9449 §11.1: an iat that is %i s off falls between the bounds',
    async (off, within, below) => {
      const count = async (bound: string) =>
        (await scrape()).get(`holdfast_proof_iat_offset_seconds_bucket{${bound}}`) ?? 0;
      const before = [await count(within), await count(below)];
      await fixture.send({ dpop: await fixture.key.proof({ iat: startOfTime / 1000 + off }) });
      expect([await count(within), await count(below)]).toEqual([(before[0] ?? 0) + 1, before[1]]);
    },
  );

  it.each([
    ['1', 'one proof', async () => [await fixture.key.proof(), await fixture.key.proof()]],
    ['2', 'well-formed JWT', async () => 'x.y.z'],
    ['3', 'claims', async () => fixture.key.proof({ jti: '' })],
    ['4', 'typ', async () => fixture.key.proof({}, { typ: 'JWT' })],
    ['6', 'signature', async () => (await fixture.key.proof()).replace(/.{8}$/, 'AAAAAAAA')],
    ['8', 'htm', async () => fixture.key.proof({ htm: 'GET' })],
    ['9', 'htu', async () => fixture.key.proof({ htu: 'https://elsewhere.example.com/token' })],
    ['11', 'iat', async () => fixture.key.proof({ iat: startOfTime / 1000 - 3600 })],
  ])(
    'RFC 9449 §4.3: a proof that breaks rule %s (%s) is counted there',
    async (rule, about, dpop) => {
      const series = `holdfast_proof_refusals_total{rule="${rule}",about="${about}"}`;
      const before = (await scrape()).get(series) ?? 0;
      expect((await fixture.send({ dpop: await dpop() })).status).toBe(400);
      expect((await scrape()).get(series)).toBe(before + 1);
    },
  );

  it('says what is registered, which keys there are, which parts work', async () => {
    const found = await scrape();
    expect({
      registered: Object.fromEntries(
        [...found].filter(([series]) => series.startsWith('holdfast_registrations{')),
      ),
      active: found.get('holdfast_signing_keys{alg="ES256",state="active"}'),
      age: found.get('holdfast_signing_key_age_seconds{alg="ES256"}'),
      database: found.get('holdfast_part_up{part="database"}'),
      replay: found.get('holdfast_part_up{part="replay"}'),
      keys: found.get('holdfast_part_up{part="signing_keys"}'),
      places: (found.get('holdfast_places') ?? 0) > 0,
    }).toEqual({
      registered: {
        'holdfast_registrations{kind="client"}': 2,
        'holdfast_registrations{kind="resource_server"}': 1,
        'holdfast_registrations{kind="pairing"}': 0,
        'holdfast_registrations{kind="trusted_issuer"}': 0,
        'holdfast_registrations{kind="trust_rule"}': 0,
        'holdfast_registrations{kind="authorization_server"}': 0,
      },
      active: 1,
      age: 0,
      database: 1,
      replay: 1,
      keys: 1,
      places: true,
    });
  });
});

describe('labels', () => {
  it('a client is named only by METRICS_CLIENT_ID=true, and only when it has authenticated', async () => {
    const store = await onSqlite.make();
    const metricsPort = await freePort();
    const env = { METRICS_CLIENT_ID: 'true', METRICS_PORT: String(metricsPort) };
    const fixture = await tokenEndpointFixture({ store, env });
    await fixture.send();
    await fixture.send({ form: { grant_type: 'client_credentials', scope: 'none' } });
    await fixture.send({ authorization: basic('app', 'w'.repeat(32)) });
    await fixture.send({ authorization: null, form: assertionForm('x') });
    const found = await scrapeOf(`http://127.0.0.1:${metricsPort}/metrics`);
    const counted = [...found.keys()].filter((name) =>
      name.startsWith('holdfast_token_requests_total'),
    );
    expect(counted.map((name) => name.replace(/.*outcome=/, '')).sort()).toEqual([
      '"issued",reason="",client_id="app"}',
      '"refused",reason="assertion_malformed",client_id="none"}',
      '"refused",reason="client_secret_mismatch",client_id="none"}',
      '"refused",reason="scope_not_allowed",client_id="app"}',
    ]);
    const elsewhere = await fetch(`http://127.0.0.1:${metricsPort}/admin/clients`);
    expect(elsewhere.status).toBe(404);
    await fixture.server.stop();
    await store.remove();
  });
});

describe('WORKERS=3', () => {
  let store: TestStore;
  let server: ServerProcess;
  const metricsPort = freePort();
  beforeAll(async () => {
    store = await onSqlite.make();
    server = await startProcess(
      { ...store.env, WORKERS: '3', METRICS_PORT: String(await metricsPort) },
      await freeAddress(),
    );
    await server.said(/Holdfast is running/);
  });
  afterAll(async () => {
    await server.end('SIGKILL');
    await store.remove();
  });
  const scrape = async () =>
    scrapeOf(`http://127.0.0.1:${await metricsPort}/metrics`, { connection: 'close' });

  it('whichever process is asked, requests of all are summed and registrations are not', async () => {
    const admin = async (path: string, body: object) =>
      fetch(`${server.adminUrl}/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    await admin('resource-servers', { audience: 'https://rs.example.com' });
    await admin('clients', { client_id: 'app', client_secret: clientSecret });
    const key = await testKey();
    const ask = async () => {
      const htu = `${server.url}/token`;
      const response = await fetch(htu, {
        method: 'POST',
        headers: {
          authorization: basic('app', clientSecret),
          dpop: await key.proof({ iat: Math.floor(Date.now() / 1000), htu }),
          'content-type': 'application/x-www-form-urlencoded',
          connection: 'close',
        },
        body: formBody({ grant_type: 'client_credentials' }),
      });
      await response.text();
      return response.status;
    };
    const statuses = await Promise.all(Array.from({ length: 30 }, ask));
    expect(new Set(statuses)).toEqual(new Set([200]));
    const issued = 'grant="client_credentials",outcome="issued",reason=""';
    for (const found of [await scrape(), await scrape(), await scrape(), await scrape()])
      expect({
        issued: found.get(`holdfast_token_requests_total{${issued}}`),
        workers: found.get('holdfast_workers'),
        configured: found.get('holdfast_workers_configured'),
        clients: found.get('holdfast_registrations{kind="client"}'),
      }).toEqual({ issued: 30, workers: 3, configured: 3, clients: 1 });
  });

  it('a process that says nothing is left out, and the scrape is answered', async () => {
    const [, pid] = /"worker":2,"pid":(\d+),"msg":"serving"/.exec(server.output()) ?? [];
    process.kill(Number(pid), 'SIGSTOP');
    const asked = async () => {
      const found = await Promise.race([scrape(), sleep(3000)]).catch(() => undefined);
      return found?.get('holdfast_workers');
    };
    // The stopped one takes its share of the connections, and answers none.
    let workers: number | undefined;
    while (workers === undefined) workers = await asked();
    process.kill(Number(pid), 'SIGCONT');
    expect(workers).toBe(2);
  });
});

describe('several processes', () => {
  it('one that is stuck is not hidden by another one that is not', async () => {
    const [here, other] = [metrics(), metrics()];
    const told = async () => {
      const all = (await other.registry.getMetricsAsJSON()) as unknown as {
        readonly name: string;
        readonly values: { value: number }[];
      }[];
      for (const { name, values } of all)
        if (name.startsWith('nodejs_eventloop_lag_p') || name === 'holdfast_open_files_ratio')
          for (const each of values) each.value = 0.99;
      return all;
    };
    here.places(() => ({ underWay: 1, limit: 1, refusingFor: 4000 }));
    other.places(() => ({ underWay: 1, limit: 1, refusingFor: 3000 }));
    const scrape = scraper(here.registry, new Registry(), {
      ...noPeers,
      gather: async () => [await told()],
    });
    const { text } = await scrape();
    for (const [series, value] of [
      ['nodejs_eventloop_lag_p99_seconds', '0.99'],
      ['holdfast_open_files_ratio', '0.99'],
      ['holdfast_refusing_seconds', '4'],
      ['holdfast_workers', '2'],
    ])
      expect(text).toContain(`\n${series} ${value}\n`);
  });

  it('a job that fails, or never ends, shows in each process', async () => {
    const measured = metrics();
    const series = async () => measured.registry.metrics();
    const logger = pino({ level: 'silent' });
    let release: (more: boolean) => void = () => undefined;
    const hangs = async () =>
      new Promise<boolean>((resolve) => {
        release = resolve;
      });
    const jobs = [
      { name: 'fails', run: async () => Promise.reject(new Error('always')) },
      { name: 'works', run: async () => false },
      { name: 'hangs', run: hangs },
    ];
    const stop = jobRunner({ jobs, logger, interval: 20, measured });
    const late = /holdfast_job_overdue_seconds\{job_name="hangs"\} 0\.[1-9]/;
    while (!late.test(await series())) await sleep(10);
    const text = await series();
    expect(text).toContain('holdfast_job_failing{job_name="fails"} 1');
    expect(text).toContain('holdfast_job_failing{job_name="works"} 0');
    expect(text).not.toContain('holdfast_job_failing{job_name="hangs"}');
    release(false);
    await stop();
  });
});
