/**
 * The part of Deno's HTTP server that the edge uses, typed here because the project is checked without Deno's types.
 */
import type { Hono } from 'hono';

interface DenoServer {
  readonly addr: { readonly port: number };
  shutdown(): Promise<void>;
}

interface DenoServe {
  serve(
    options: { readonly port: number; readonly hostname: string; readonly onListen: () => void },
    handler: (request: Request) => Response | Promise<Response>,
  ): DenoServer;
}

export function serveDeno(
  app: Hono,
  port: number,
  hostname: string,
): { readonly port: number; close(graceMs?: number): Promise<void> } {
  const { Deno } = globalThis as unknown as { readonly Deno: DenoServe };
  const server = Deno.serve({ port, hostname, onListen: () => undefined }, (request) => app.fetch(request));
  return {
    port: server.addr.port,
    /** Lets running replies end, for `graceMs` at most. */
    close: async (graceMs = 5000) =>
      Promise.race([
        server.shutdown(),
        new Promise<void>((resolve) => {
          setTimeout(resolve, graceMs);
        }),
      ]),
  };
}
