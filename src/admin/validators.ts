import { Ajv, type AnySchema, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';

/**
 * Validates requests against these schemas without dropping, converting or filling in anything.
 * Each validator is compiled on first use, once per process, because compiling all takes a third of
 * a second.
 */
export function validators(schemas: readonly TSchema[]): FastifySchemaCompiler<unknown> {
  const ajv = new Ajv({
    // A schema from a request must not become one that others may refer to.
    addUsedSchema: false,
    allErrors: true,
    allowUnionTypes: true,
    // Adds the schema to each fault, so that a refusal can name the nearest known member.
    verbose: true,
  });
  addFormats.default(ajv);
  for (const schema of schemas) ajv.addSchema(schema);
  const compiled = new Map<string, ValidateFunction>();
  const validatorOf = (schema: unknown): ValidateFunction => {
    const text = JSON.stringify(schema);
    const known = compiled.get(text) ?? ajv.compile(schema as AnySchema);
    compiled.set(text, known);
    return known;
  };
  return ({ schema }) => {
    let validate: ValidateFunction | undefined;
    return (data: unknown) => {
      validate ??= validatorOf(schema);
      return validate(data) === true ? true : { error: validate.errors ?? [] };
    };
  };
}
