/**
 * A small HTTP server that answers as a test says, in place of the endpoints of Amazon ECS.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AgentRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

export interface AgentReply {
  readonly status: number;
  readonly body: unknown;
}

export interface ScriptedAgent {
  readonly url: string;
  readonly requests: AgentRequest[];
  /** Resolves when so many requests have been answered in all. */
  answered(count: number): Promise<void>;
  close(): Promise<void>;
}

export async function startScriptedAgent(answer: (request: AgentRequest) => AgentReply): Promise<ScriptedAgent> {
  const requests: AgentRequest[] = [];
  let done = 0;
  let waiters: { readonly count: number; readonly resolve: () => void }[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = Buffer.concat(await request.toArray()).toString('utf8');
    const asked: AgentRequest = {
      method: request.method ?? '',
      target: request.url ?? '',
      headers: request.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
    requests.push(asked);
    const { status, body } = answer(asked);
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify(body), () => {
      done += 1;
      for (const { count, resolve } of waiters) if (done >= count) resolve();
      waiters = waiters.filter(({ count }) => done < count);
    });
  };
  const server = createServer((request, response) => void respond(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answered: (count) =>
      done >= count ? Promise.resolve() : new Promise((resolve) => waiters.push({ count, resolve })),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
