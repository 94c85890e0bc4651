import Type, { type TProperties, type TSchema } from 'typebox';

/** The schema of a JSON request body, named in the OpenAPI document; it has no other members. */
export const requestBody = <const Members extends TProperties>(name: string, members: Members) =>
  Type.Object(members, { $id: name, additionalProperties: false });

/** The schema of a JSON response body, named in the OpenAPI document. */
export const answerBody = <const Members extends TProperties>(name: string, members: Members) =>
  Type.Object(members, { $id: name });

/** The schema of a string. */
export const text = (options: object) => Type.Unsafe<string>({ type: 'string', ...options });

/** The schema of one of these strings. */
export const oneOf = <T extends string>(values: readonly T[], options: object = {}) =>
  Type.Unsafe<T>({ type: 'string', enum: values, ...options });

/** The schema of a list of up to a hundred different values. */
export const listOf = <T>(items: ReturnType<typeof Type.Unsafe<T>>, options: object = {}) =>
  Type.Unsafe<T[]>({ type: 'array', items, uniqueItems: true, maxItems: 100, ...options });

/** In responses: whether a configuration created it. */
export const managedBy = Type.Optional(
  text({
    enum: ['configuration'],
    description:
      'Created by a declared configuration, which may remove it; absent: created by a ' +
      'single request.',
  }),
);

/** The schema of a JWK Set (RFC 7517 §5). */
export const jwkSet = Type.Object(
  {
    keys: Type.Array(Type.Unsafe<Readonly<Record<string, unknown>>>({ type: 'object' }), {
      minItems: 1,
      maxItems: 20,
    }),
  },
  { additionalProperties: false },
);

/** The schema of a merge patch (RFC 7396): every member is optional, and null clears it. */
export function patchOf(body: TSchema & { readonly properties: TProperties }): TSchema {
  const nullable = Object.entries(body.properties).map(([name, schema]) => {
    const {
      type,
      enum: values,
      ...more
    } = schema as { type?: string | string[]; enum?: readonly unknown[] };
    return [
      name,
      {
        ...more,
        type: [type, 'null'].flat(),
        ...(values !== undefined && { enum: [...values, null] }),
      },
    ];
  });
  return Type.Unsafe({
    $id: idOf(body).replace(/Body$/, 'Patch'),
    type: 'object',
    properties: Object.fromEntries(nullable),
    additionalProperties: false,
  });
}

/** The name of a registered schema. */
export function idOf(schema: TSchema): string {
  return (schema as { readonly $id: string }).$id;
}
