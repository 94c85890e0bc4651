import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestKey, testKey } from '../support/keys.ts';
import { audience, jwtBearerGrant, shortly } from '../support/platform.ts';
import { startOfTime, type TestServer, testServer } from '../support/server.ts';

const as = 'https://as.example.com';
const now = startOfTime / 1000;
const pages = join(import.meta.dirname, '../../docs/workloads');

/** The JSON of a page, as an operator copies it. */
const jsonOf = (page: string): readonly Record<string, unknown>[] =>
  [...readFileSync(join(pages, `${page}.md`), 'utf8').matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(
    ([, text = '']) => JSON.parse(text) as Record<string, unknown>,
  );

/** A token exactly as a platform makes it, by its documentation. */
interface Shape {
  readonly page: string;
  readonly alg: 'RS256' | 'ES256';
  readonly method: string;
  readonly header: object;
  readonly claims: Readonly<Record<string, unknown>>;
  /** What must not match: one claim of it changed. */
  readonly others: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly subject?: { readonly claims: Readonly<Record<string, unknown>>; readonly is: string };
}

// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
const inKubernetes = (namespace: string, account: string) => ({
  'kubernetes.io': {
    namespace,
    node: { name: 'node-1', uid: '646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1' },
    pod: { name: 'worker-69cbfb9798-jv9gn', uid: '5e0bd49b-f040-43b0-99b7-22765a53f7f3' },
    serviceaccount: { name: account, uid: '14ee3fa4-a7e2-420f-9f9a-dbc4507c3798' },
    warnafter: now + 3607,
  },
  sub: `system:serviceaccount:${namespace}:${account}`,
});

const shapes: readonly Shape[] = [
  {
    page: 'kubernetes',
    alg: 'RS256',
    method: 'workload_jwt',
    header: {},
    claims: {
      aud: [as],
      exp: now + 3607,
      iat: now,
      iss: 'https://kubernetes.default.svc.cluster.local',
      jti: 'ea28ed49-2e11-4280-9ec5-bc3d1d84661a',
      nbf: now,
      ...inKubernetes('orders', 'worker'),
    },
    others: {
      'another namespace': inKubernetes('shop', 'worker'),
      'another service account': inKubernetes('orders', 'default'),
      'the audience of the API server': { aud: ['https://kubernetes.default.svc.cluster.local'] },
      'the extended life of a token for the API server': { exp: now + 31_536_000 },
    },
    subject: { claims: inKubernetes('batch', 'report'), is: 'k8s:batch/report' },
  },
  {
    // https://docs.github.com/en/actions/concepts/security/openid-connect
    page: 'github-actions',
    alg: 'RS256',
    method: 'workload_jwt',
    header: { typ: 'JWT', x5t: 'example-thumbprint' },
    claims: {
      jti: 'example-id',
      sub: 'repo:octo-org/octo-repo:environment:prod',
      environment: 'prod',
      aud: as,
      ref: 'refs/heads/main',
      sha: 'example-sha',
      repository: 'octo-org/octo-repo',
      repository_owner: 'octo-org',
      actor_id: '12',
      repository_visibility: 'private',
      repository_id: '74',
      repository_owner_id: '65',
      run_id: 'example-run-id',
      run_number: '10',
      run_attempt: '2',
      runner_environment: 'github-hosted',
      actor: 'octocat',
      workflow: 'example-workflow',
      head_ref: '',
      base_ref: '',
      event_name: 'workflow_dispatch',
      ref_type: 'branch',
      job_workflow_ref: 'octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main',
      iss: 'https://token.actions.githubusercontent.com',
      nbf: now - 600,
      exp: now + 300,
      iat: now,
    },
    others: {
      'another repository': { repository_id: '75' },
      'another environment': { environment: 'staging' },
      'no environment': { environment: undefined },
      'a workflow of another branch': {
        job_workflow_ref: 'octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main-2',
      },
      'the default audience': { aud: 'https://github.com/octo-org' },
    },
  },
  {
    // https://docs.gitlab.com/ci/secrets/id_token_authentication/
    page: 'gitlab',
    alg: 'RS256',
    method: 'workload_jwt',
    header: { typ: 'JWT' },
    claims: {
      namespace_id: '72',
      namespace_path: 'my-group',
      project_id: '20',
      project_path: 'my-group/my-project',
      user_id: '1',
      user_login: 'sample-user',
      user_email: 'sample-user@example.com',
      user_identities: [{ provider: 'github', extern_uid: '2435223452345' }],
      pipeline_id: '574',
      pipeline_source: 'push',
      job_id: '302',
      ref: 'release-1',
      ref_type: 'branch',
      ref_path: 'refs/heads/release-1',
      ref_protected: 'true',
      groups_direct: ['mygroup/mysubgroup', 'myothergroup/myothersubgroup'],
      environment: 'production',
      environment_protected: 'false',
      deployment_tier: 'production',
      environment_action: 'start',
      runner_id: 1,
      runner_environment: 'self-hosted',
      sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
      project_visibility: 'public',
      ci_config_ref_uri:
        'gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/release-1',
      ci_config_sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
      jti: '235b3a54-b797-45c7-ae9a-f72d7bc6ef5b',
      iss: 'https://gitlab.example.com',
      iat: now,
      nbf: now - 5,
      exp: now + 3600,
      sub: 'project_path:my-group/my-project:ref_type:branch:ref:release-1',
      aud: as,
    },
    others: {
      'another project': { project_id: '21' },
      'a branch that anybody may push to': { ref_protected: 'false' },
      'another branch': { ref_path: 'refs/heads/main' },
      'a tag of that name': { ref_path: 'refs/tags/release-1' },
      'the audience of the instance': { aud: 'https://gitlab.example.com' },
    },
  },
  {
    // https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md
    page: 'spire',
    alg: 'ES256',
    method: 'spiffe_jwt',
    header: { typ: 'JWT' },
    claims: {
      aud: [as],
      exp: now + 300,
      iat: now,
      sub: 'spiffe://example.org/ns/orders/sa/worker',
    },
    others: {
      'another workload': { sub: 'spiffe://example.org/ns/orders/sa/worker2' },
      'another trust domain': { sub: 'spiffe://example.com/ns/orders/sa/worker' },
      'two audiences': { aud: [as, 'https://other.example.com'] },
    },
  },
];

describe.each(shapes)('docs/workloads/$page.md', (shape) => {
  const [issuer = {}, rule = {}, ofSubject] = jsonOf(shape.page);
  let [server, platform, mine]: [TestServer, TestKey, TestKey] = [] as never;
  beforeAll(async () => {
    server = await testServer();
    [platform, mine] = [await testKey(shape.alg), await testKey()];
    const made = async (path: string, body: object) => {
      const answer = await server.admin('POST', path, body);
      expect([answer.status, answer.body.errors]).toEqual([201, undefined]);
      return answer.body.id as string;
    };
    await made('resource-servers', { audience, scopes: ['orders.read'] });
    const method = { token_endpoint_auth_method: shape.method };
    await made('clients', { client_id: rule['client_id'], ...method });
    // The page’s members, but for where the keys are: the test has no such platform.
    const { ca_file: _, trust_bundle_file: bundle, ...members } = issuer;
    const use = bundle === undefined ? 'sig' : 'jwt-svid';
    const keys = { keys: [{ ...platform.jwk, kid: 'key-1', alg: shape.alg, use }] };
    const source = bundle === undefined ? { jwks: keys } : { trust_bundle: keys };
    const id = await made('trusted-issuers', { ...members, ...source });
    await made(`trusted-issuers/${id}/rules`, rule);
    if (ofSubject !== undefined)
      await made(`trusted-issuers/${id}/rules`, { ...ofSubject, resources: [audience] });
  });
  afterAll(async () => server.stop());
  const token = async (more: object = {}) =>
    platform.sign({ ...shape.claims, ...more }, { kid: 'key-1', ...shape.header });
  const ask = async (form: Record<string, string>) =>
    server.post('/token', { resource: audience, ...form }, { dpop: await mine.proof() });
  const authenticate = async (assertion: string) =>
    ask({
      grant_type: 'client_credentials',
      client_assertion_type: `urn:ietf:params:oauth:client-assertion-type:${
        shape.method === 'spiffe_jwt' ? 'jwt-spiffe' : 'jwt-bearer'
      }`,
      client_assertion: assertion,
    });

  it('its issuer and its rule take a token of exactly that shape, and the answer is bound', async () => {
    const { status, body } = await authenticate(await token());
    expect([status, body.error_description, body.token_type]).toEqual([200, undefined, 'DPoP']);
    expect(decodeJwt(body.access_token)).toMatchObject({
      sub: rule['client_id'],
      cnf: { jkt: mine.jkt },
    });
  });
  it.each(Object.entries(shape.others))('and none with %s', async (_, more) => {
    expect(shortly(await authenticate(await token(more)))).toBe('401 invalid_client');
  });
  const subjects = shape.subject === undefined ? [] : [shape.subject];
  it.each(subjects)('its rule with a subject takes one as grant: $is', async ({ claims, is }) => {
    const assertion = await token(claims);
    expect(shortly(await ask({ grant_type: jwtBearerGrant, assertion }))).toBe(`200 ${is}`);
  });
});
