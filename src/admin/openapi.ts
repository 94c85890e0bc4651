import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { version } from '../config/package.ts';
import { withExamples } from './openapi-examples.ts';
import { answer, operation } from './operation.ts';
import { tags } from './tags.ts';

/** Serves the OpenAPI 3.1 document. A route mounted later without an operation throws an Error. */
export async function openapiDocument(
  app: FastifyInstance,
  schemas: readonly TSchema[],
): Promise<void> {
  // Response schemas only describe: handlers' values are sent unchanged.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  for (const schema of schemas) app.addSchema(schema);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast admin API',
        version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: {
          admin_token: { type: 'http', scheme: 'bearer', description: 'The admin token.' },
          bound_admin_token: {
            type: 'http',
            scheme: 'dpop',
            description:
              'A token of this server for `urn:holdfast:admin`, issued to a client that ' +
              'is an admin, with the proof in `DPoP` (RFC 9449 §7.1).',
          },
        },
      },
      security: [{ admin_token: [] }, { bound_admin_token: [] }],
      tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    },
    transformObject: (described) =>
      'openapiObject' in described ? withExamples(described.openapiObject) : {},
    refResolver: {
      buildLocalReference: ({ $id }, _baseUri, _fragment, index) =>
        typeof $id === 'string' ? $id : `schema${index}`,
    },
  });
  app.addHook('onRoute', ({ url, schema }) => {
    if (
      schema?.hide !== true &&
      (schema?.operationId === undefined || schema.response === undefined)
    )
      throw new Error(`${url} has no operation`);
  });
  const document = answer(
    'The OpenAPI 3.1 document of the admin API.',
    Type.Unsafe({ type: 'object', examples: [{ openapi: '3.1.0', paths: {} }] }),
  );
  const described = operation({
    operationId: 'getOpenapiDocument',
    summary: 'Read this document',
    tag: 'Document',
    description:
      'Returns the description of this API: every operation with its requests and responses.',
    storeless: true,
    answers: { 200: document },
  });
  app.get('/admin/openapi.json', described, () => app.swagger());
}
