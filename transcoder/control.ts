/**
 * What a transcoder asks of the control plane. On one machine the functions' handlers stand behind it in process, in
 * the cloud Lambda does.
 */
import type { FinalizeVodRequest, NotifyReply } from '../contracts/function_calls.ts';
import type { Notification } from '../contracts/lifecycle_event.ts';
import type { AuthorizePublishReply, AuthorizePublishRequest } from '../contracts/publish.ts';
import type {
  ClaimReply,
  ClaimRequest,
  HeartbeatReply,
  HeartbeatRequest,
  ReleaseReply,
  ReleaseRequest,
} from '../contracts/registry.ts';

/** Every method rejects when the control plane cannot be reached in time. */
export interface Control {
  authorizePublish(request: AuthorizePublishRequest, signal?: AbortSignal): Promise<AuthorizePublishReply>;
  claim(request: ClaimRequest): Promise<ClaimReply>;
  heartbeat(request: HeartbeatRequest): Promise<HeartbeatReply>;
  release(request: ReleaseRequest): Promise<ReleaseReply>;
  /** What happens to a stream beside its ownership: failing relays, a slow publisher. */
  notify(notification: Notification): Promise<NotifyReply>;
  /** Has a session's recording made final; resolves when that was taken on, not when it is done. */
  finalizeVod(request: FinalizeVodRequest): Promise<void>;
}
