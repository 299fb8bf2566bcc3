/* SPDX-License-Identifier: Apache-2.0 */
/* hale completion: the scripts that make a shell complete, and what they ask
 *
 * The scripts know nothing of hale: they pass the words typed so far to `hale completion words --`
 * and offer the lines that come back, "value<TAB>description". So they complete whatever this hale
 * can be told, even when they were installed with another.
 */
#include "verbs.h"

#include "complete.h"
#include "complete_names.h"

static const char bash[] = "# bash completion for hale, written by: hale completion bash\n"
			   "_hale() {\n"
			   "	local line program=${COMP_WORDS[0]/#\\~/$HOME}\n"
			   "	COMPREPLY=()\n"
			   "	while IFS= read -r line; do\n"
			   "		case $line in\n"
			   "		:files) compopt -o default ;;\n"
			   "		:directories) compopt -o dirnames ;;\n"
			   "		*) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
			   "		esac\n"
			   "	done < <(\"$program\" completion words -- "
			   "\"${COMP_WORDS[@]:1:COMP_CWORD-1}\" \"$2\" \\\n"
			   "		2>/dev/null)\n"
			   "}\n"
			   "complete -F _hale hale\n";

static const char zsh[] =
	"#compdef hale\n"
	"# zsh completion for hale, written by: hale completion zsh\n"
	"_hale() {\n"
	"	local line value current=${(Q)PREFIX}\n"
	"	local -a given found\n"
	"	given=(\"${(@Q)words[2,CURRENT-1]}\")\n"
	"	if [[ $current == --*=* ]]; then\n"
	"		given+=(\"${current%%=*}\")\n"
	"		current=${current#*=}\n"
	"		compset -P '--*='\n"
	"	fi\n"
	"	for line in \"${(@f)$(\"${(Q)words[1]}\" completion words -- \"${given[@]}\" \\\n"
	"		\"$current\" 2>/dev/null)}\"; do\n"
	"		case $line in\n"
	"		'') ;;\n"
	"		:files) _files; return ;;\n"
	"		:directories) _files -/; return ;;\n"
	"		*)\n"
	"			value=${line%%$'\\t'*}\n"
	"			found+=(\"${value//:/\\\\:}:${line#*$'\\t'}\")\n"
	"			;;\n"
	"		esac\n"
	"	done\n"
	"	_describe 'hale' found\n"
	"}\n"
	"if [[ ${funcstack[1]} == _hale ]]; then\n"
	"	_hale \"$@\"\n"
	"else\n"
	"	compdef _hale hale\n"
	"fi\n";

static int words(struct cli *cli, const struct args *args)
{
	HALE_CLEANUP(str_done) struct str out = {0};
	/* Without the word "words" itself. */
	struct strlist line = {.v = args->words.v + 1, .n = args->words.n - 1};
	struct complete c;

	complete_line(&line, &c, &out);
	if (c.what_len > 0)
		complete_names(cli, &c, &out);
	complete_done(&c);
	cli_print(cli, &out);
	return CLI_DONE;
}

int verb_completion(struct cli *cli, const struct args *args)
{
	const char *shell = args_word(args, 0);

	if (str_eq(shell, "words"))
		return words(cli, args);
	if (args->words.n > 1)
		return cli_refuse(cli, CLI_USAGE, "completion: '%s' is one word too many",
				  args_word(args, 1));
	if (str_eq(shell, "bash"))
		(void)fputs(bash, cli->out);
	else if (str_eq(shell, "zsh"))
		(void)fputs(zsh, cli->out);
	else
		return cli_refuse(cli, CLI_USAGE,
				  "completion: '%s' is neither bash nor zsh (others complete from "
				  "what 'hale completion words -- WORD…' says)",
				  shell);
	return CLI_DONE;
}
