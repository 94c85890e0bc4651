import { createConfig, lintFromString } from '@redocly/openapi-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Document, missingExamples } from '../support/openapi.ts';
import { type TestServer, testServer } from '../support/server.ts';

let server: TestServer;
let document: Document;
beforeAll(async () => {
  server = await testServer();
  document = (await server.admin('GET', 'openapi.json')).body;
});
afterAll(async () => server.stop());

const operations = () => Object.values(document.paths).flatMap((item) => Object.values(item));

describe('the OpenAPI document as its readers use it', () => {
  it('gives a linter (recommended rules of Redocly) nothing to report', async () => {
    const found = await lintFromString({
      source: JSON.stringify(document),
      config: await createConfig({ extends: ['recommended'] }),
    });
    expect(
      found.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer]),
    ).toEqual([]);
  });
  it('is seen to be faulty by that linter when an example does not fit its schema', async () => {
    const source = JSON.stringify(document).replaceAll('"client_name":"Orders"', '"client_name":7');
    const found = await lintFromString({
      source,
      config: await createConfig({ extends: ['recommended'] }),
    });
    expect(new Set(found.map(({ ruleId }) => ruleId))).toEqual(
      new Set(['no-invalid-media-type-examples']),
    );
  });
  it('has a tag of the list, a description and an example for every operation', () => {
    const tags = document.tags.map(({ name }) => name);
    for (const operation of operations()) {
      const { operationId, description } = operation;
      expect([operationId, operation.tags.filter((tag) => tags.includes(tag)).length]).toEqual([
        operationId,
        1,
      ]);
      expect([operationId, description.endsWith('.'), description.length > 25]).toEqual([
        operationId,
        true,
        true,
      ]);
      expect([operationId, ...missingExamples(operation)]).toEqual([operationId]);
    }
  });
  it('has examples that are accepted when they are sent', async () => {
    const ids = new Map<string, string>();
    const sent = async (name: string) => {
      const [path, method, operation] = Object.entries(document.paths)
        .flatMap(([at, item]) =>
          Object.entries(item).map(([how, what]) => [at, how, what] as const),
        )
        .find(([, , { operationId }]) => operationId === name) ?? [''];
      const example = Object.values(operation?.requestBody?.content ?? {})[0]?.example;
      const to = path.replace(/([\w-]+)\/\{\w+\}/g, (_, of: string) => `${of}/${ids.get(of)}`);
      const answer = await server.admin(
        String(method).toUpperCase(),
        to.replace('/admin/', ''),
        example,
      );
      if (!path.endsWith('}')) ids.set(path.split('/').at(-1) ?? '', answer.body.id);
      return [name, answer.status, answer.body.errors];
    };
    await server.admin('POST', 'clients', { client_id: 'orders-worker' });
    expect(await sent('createClient')).toEqual(['createClient', 201, undefined]);
    ids.set('clients', 'orders-web');
    const bodied = operations().filter(
      ({ operationId, requestBody }) => requestBody && operationId !== 'createClient',
    );
    for (const { operationId } of bodied.filter(
      (each) => !/^change\w+Secret$/.test(each.operationId),
    ))
      expect(await sent(operationId)).toEqual([
        operationId,
        operationId.startsWith('create') ? 201 : 200,
        undefined,
      ]);
  });
});
