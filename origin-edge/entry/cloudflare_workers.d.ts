/**
 * The part of the Workers runtime that the entry uses, typed here because the project is checked without Cloudflare's
 * types.
 */
declare module 'cloudflare:workers' {
  export class WorkerEntrypoint {
    protected readonly env: unknown;
    protected readonly ctx: { readonly props: unknown };
  }
}
