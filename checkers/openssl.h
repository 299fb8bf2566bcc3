/* SPDX-License-Identifier: Apache-2.0 */
/* openssl - libssl and libcrypto, loaded when the first check really speaks TLS (for tls_*.c alone)
 *
 * To be linked with them costs a process a millisecond of its start and half a megabyte, and most
 * connections of a supervisor are plain ones within a machine. So their functions are called
 * through a table: ssl.SSL_new(ctx), with the types of the OpenSSL 3 headers; what is a macro there
 * is written out.
 *
 * The table is filled by openssl_load() and never emptied. A confined process may load it at any
 * time: /usr is readable, and mapping a file as code is allowed.
 * Loop: all on the loop thread.
 */
#ifndef HALE_CHECKERS_OPENSSL_H
#define HALE_CHECKERS_OPENSSL_H

#include "base/err.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* Every function of the two libraries that is called. */
#define OPENSSL_TABLE(X)                                                                           \
	X(ASN1_STRING_get0_data)                                                                   \
	X(ASN1_STRING_length)                                                                      \
	X(ASN1_TIME_to_tm)                                                                         \
	X(BIO_ctrl)                                                                                \
	X(BIO_ctrl_pending)                                                                        \
	X(BIO_free)                                                                                \
	X(BIO_new)                                                                                 \
	X(BIO_read)                                                                                \
	X(BIO_s_mem)                                                                               \
	X(BIO_write)                                                                               \
	X(ERR_clear_error)                                                                         \
	X(ERR_peek_error)                                                                          \
	X(ERR_reason_error_string)                                                                 \
	X(EVP_sha256)                                                                              \
	X(GENERAL_NAMES_free)                                                                      \
	X(OPENSSL_sk_num)                                                                          \
	X(OPENSSL_sk_value)                                                                        \
	X(SSL_CIPHER_get_name)                                                                     \
	X(SSL_CTX_check_private_key)                                                               \
	X(SSL_CTX_ctrl)                                                                            \
	X(SSL_CTX_free)                                                                            \
	X(SSL_CTX_load_verify_file)                                                                \
	X(SSL_CTX_new)                                                                             \
	X(SSL_CTX_set_default_passwd_cb)                                                           \
	X(SSL_CTX_set_default_verify_paths)                                                        \
	X(SSL_CTX_set_options)                                                                     \
	X(SSL_CTX_set_security_level)                                                              \
	X(SSL_CTX_set_verify)                                                                      \
	X(SSL_CTX_use_PrivateKey_file)                                                             \
	X(SSL_CTX_use_certificate_chain_file)                                                      \
	X(SSL_ctrl)                                                                                \
	X(SSL_do_handshake)                                                                        \
	X(SSL_free)                                                                                \
	X(SSL_get0_alpn_selected)                                                                  \
	X(SSL_get0_param)                                                                          \
	X(SSL_get1_peer_certificate)                                                               \
	X(SSL_get_current_cipher)                                                                  \
	X(SSL_get_error)                                                                           \
	X(SSL_get_peer_cert_chain)                                                                 \
	X(SSL_get_verify_result)                                                                   \
	X(SSL_get_version)                                                                         \
	X(SSL_new)                                                                                 \
	X(SSL_read)                                                                                \
	X(SSL_set1_host)                                                                           \
	X(SSL_set_alpn_protos)                                                                     \
	X(SSL_set_bio)                                                                             \
	X(SSL_set_connect_state)                                                                   \
	X(SSL_set_hostflags)                                                                       \
	X(SSL_shutdown)                                                                            \
	X(SSL_write)                                                                               \
	X(TLS_client_method)                                                                       \
	X(X509_NAME_print_ex)                                                                      \
	X(X509_VERIFY_PARAM_set1_ip_asc)                                                           \
	X(X509_digest)                                                                             \
	X(X509_free)                                                                               \
	X(X509_get0_notAfter)                                                                      \
	X(X509_get0_notBefore)                                                                     \
	X(X509_get_ext_d2i)                                                                        \
	X(X509_get_issuer_name)                                                                    \
	X(X509_get_subject_name)                                                                   \
	X(X509_verify_cert_error_string)

struct openssl_functions {
#define OPENSSL_MEMBER(name) __typeof__(name) *name;
	OPENSSL_TABLE(OPENSSL_MEMBER)
#undef OPENSSL_MEMBER
};

extern struct openssl_functions ssl;

/* "libssl.so.3"; a test names another. */
extern const char *openssl_library;

/* 0, or -ENOSYS with a text that says what to install; then the table is as it was. What failed is
 * tried again by the next call. */
int openssl_load(struct err *err);

#endif
