import { Ajv, type AnySchema, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';

/**
 * Validators of requests, which refer to these schemas. They judge what was sent: nothing is
 * dropped, converted or filled in. Each is compiled when a request first needs it, once a process:
 * to compile them all takes a third of a second.
 */
export function validators(schemas: readonly TSchema[]): FastifySchemaCompiler<unknown> {
  const ajv = new Ajv({
    // One that was met in a request is not one that others may refer to.
    addUsedSchema: false,
    allErrors: true,
    allowUnionTypes: true,
    // With the schema beside each fault, so that a refusal can name the nearest known member.
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
