/*
 * A milter that does nothing, in the place of posthaste-postfix: it is told the same, and answers
 * as little. idle_milter inet:PORT@127.0.0.1
 */
#include <libmilter/mfapi.h>
#include <stdio.h>

static sfsistat on_negotiate(SMFICTX* context, unsigned long actions, unsigned long steps,
                             unsigned long unused2, unsigned long unused3,
                             unsigned long* out_actions, unsigned long* out_steps,
                             unsigned long* out_unused2, unsigned long* out_unused3) {
  (void)context;
  (void)actions;
  (void)unused2;
  (void)unused3;
  *out_actions = 0;
  *out_steps =
      steps & (SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_NR_CONN | SMFIP_NR_MAIL |
               SMFIP_NR_RCPT | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY);
  *out_unused2 = 0;
  *out_unused3 = 0;
  return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX* context, char* host, _SOCK_ADDR* address) {
  (void)context;
  (void)host;
  (void)address;
  return SMFIS_NOREPLY;
}

static sfsistat on_address(SMFICTX* context, char** arguments) {
  (void)context;
  (void)arguments;
  return SMFIS_NOREPLY;
}

static sfsistat on_header(SMFICTX* context, char* name, char* value) {
  (void)context;
  (void)name;
  (void)value;
  return SMFIS_NOREPLY;
}

static sfsistat on_headers_end(SMFICTX* context) {
  (void)context;
  return SMFIS_NOREPLY;
}

static sfsistat on_body(SMFICTX* context, unsigned char* data, size_t size) {
  (void)context;
  (void)data;
  (void)size;
  return SMFIS_NOREPLY;
}

static sfsistat on_end(SMFICTX* context) {
  (void)context;
  return SMFIS_CONTINUE;
}

int main(int argc, char** argv) {
  static char name[] = "idle";
  struct smfiDesc description = {
      .xxfi_name = name,
      .xxfi_version = SMFI_VERSION,
      .xxfi_connect = on_connect,
      .xxfi_envfrom = on_address,
      .xxfi_envrcpt = on_address,
      .xxfi_header = on_header,
      .xxfi_eoh = on_headers_end,
      .xxfi_body = on_body,
      .xxfi_eom = on_end,
      .xxfi_negotiate = on_negotiate,
  };
  if (argc != 2) {
    fprintf(stderr, "usage: idle_milter CONNECTION\n");
    return 2;
  }
  if (smfi_register(description) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS) return 1;
  return smfi_main() == MI_SUCCESS ? 0 : 1;
}
