"""What the product itself gives as a reason, as it stands in English in its code: sentences with holes.

Tests hold them against that code: the gate's, those of whoever reads terms, and the console's own.
"""

from typing import Final

from entrepot.console.words import mark

GATE: Final = (
    # The contract (contracts).
    mark("the contract has status %(contract)s (%(end)s)"),
    mark("the contract has status %(contract)s"),
    mark("the contract has expired"),
    mark("the contract has not begun"),
    # The consumer's membership (identity, use).
    mark("the member was revoked"),
    mark("the membership is not in force at this time"),
    mark("nothing is known of the member's status"),
    mark("what is known of the %(known)s is %(age)s s old; at most %(most)s s"),
    mark("the guest is let in no longer: %(why)s"),
    mark("the guest's credential is not in force now"),
    mark("the issuer of what the guest has shown is not trusted here, or it has to show more"),
    mark("nothing is known of the consumer's membership"),
    # What is on offer, and how (use, regulation).
    mark("the product of this contract is not here"),
    mark("this door is for %(format)s"),
    mark("the product is offered for %(kinds)s, not for %(kind)s"),
    mark("%(grade)s data does not admit %(kind)s (%(article)s)"),
    mark("%(grade)s data does not admit %(kind)s"),
    mark("no rule for kinds of use is in force on %(when)s (%(article)s)"),
    mark("no rule for kinds of use is in force on %(when)s"),
    mark("the artefact is not what was offered; its owner must look"),
    # This node (use).
    mark("records have waited too long for the ledger; nothing new is opened until it has them"),
    mark("overdue since %(when)s UTC: %(duty)s"),
    mark("its owner has to accept that first"),
    mark("this node was restored from a backup of %(when)s and has not been compared with the ledger yet"),
    mark(
        "this node was restored from a backup of %(when)s; the ledger has no later batch of its records, "
        "later records may be lost unanchored"
    ),
    mark(
        "this node was restored from a backup of %(when)s; batches %(first)s to %(last)s on the ledger are "
        "of later uses, not counted here"
    ),
    # The door (use).
    mark("no door opens to this token"),
    mark("no door opens to our token any more"),
    mark("there is no agreement behind this door"),
    mark("the last use was taken by another call"),
    mark("the door answered %(status)s"),
    mark("the process is over: %(why)s"),
    mark("the process is over"),
    # How a negotiation or a transfer ended (contracts, use).
    mark("the %(party)s ended it: %(why)s"),
    mark("rejected, a person said no"),
    mark("expired, what was offered has run out"),
    mark("terms, the agreement is not what was offered"),
    mark("contract, the contract is no longer in force"),
    mark("the negotiation is gone"),
    mark("the process is gone"),
    mark("no whole answer came, and the use may have been counted: %(why)s"),
    mark("the node stopped during the call; ask again"),
    mark("a fault; see the log"),
    mark("refused"),
)
"""Why a use was refused, a negotiation ended, a transfer stopped."""

FAULTS: Final = (
    mark("the policy permits nothing"),
    mark("the policy does not survive the wire"),
    mark("the policy does not survive the wire: %(why)s"),
    mark("%(did)s is no DID that a service party can have"),
    mark("a contract has at most %(most)s service parties"),
    mark("%(place)s names an algorithm, and no service party that brings it"),
    mark("%(got)s is no algorithm; write NAME@VERSION#sha256: and 64 digits"),
    mark("%(did)s is no service party of this space"),
    mark("%(place)s: %(why)s"),
    mark("nested deeper than %(most)s levels"),
    mark("%(operand)s must hold in every case: not under or, xone, a prohibition"),
    mark("expected exactly one of and, or, xone (andSequence is not understood)"),
    mark("expected at least one constraint"),
    mark("%(operand)s is compared by %(operators)s, not by %(operator)s"),
    mark("unknown operand %(got)s"),
    mark("write %(operator)s instead of %(got)s"),
    mark("unknown operator %(got)s; known are %(operators)s"),
    mark("unknown operator %(got)s"),
    mark("expected one to %(most)s values, got %(got)s"),
    mark("a number is written as text: %(got)s"),
    mark("expected text of at most %(most)s printable characters"),
    mark("expected text, @id or @value"),
    mark("unknown data type %(got)s; known here are %(names)s"),
    mark("expected one value for %(operator)s, got %(got)s"),
    mark("more than %(most)s rules, duties and constraints in one policy"),
    mark("more than %(most)s entries"),
    mark("expected a constraint"),
    mark("expected a rule"),
    mark("expected a duty"),
    mark("%(name)s is there twice"),
    mark("unknown key %(got)s"),
    mark("no profile is known here; what a policy may say is what is read without one"),
    mark("the operand fixes the unit; leave it out"),
    mark("the operand fixes the data type; leave it out"),
    mark("write a remedy as an obligation"),
    mark("write a consequence as an obligation"),
    mark("write a refinement as a constraint of the rule"),
    mark("a prohibition always beats a permission; leave it out"),
    mark("a rule is about the target of its offer; leave it out"),
    mark("write the value itself as rightOperand"),
    mark("expected an object"),
    mark("unknown action %(got)s; expected one of %(duties)s"),
    mark("unknown operand %(got)s on a duty"),
    mark("expected on a duty: %(rest)s"),
    mark("nobody can %(duty)s %(owed)s a use; expected one of %(duties)s"),
    mark("a duty after a use, and no other, says within what time: odrl:elapsedTime lteq P30D"),
    mark("an amount is owed by compensate only"),
    mark("expected days, hours, minutes or seconds such as P30D or PT12H, got %(got)s"),
    mark("expected an amount such as 100.00 CNY or 100 JPY, got %(got)s"),
    mark("an amount of nothing is no amount"),
    mark("expected a name of at most %(most)s characters"),
    mark("expected one of %(names)s, got %(got)s"),
    mark("expected a positive whole number, got %(got)s"),
    mark("expected a rate such as 10/minute, 10/hour or 10/day, got %(got)s"),
    mark("expected a region of GB/T 2260 of two, four or six digits, got %(got)s"),
    mark("expected a DID such as did:web:example.org, got %(got)s"),
    mark("expected a daily window such as 08:00/18:00+08:00, got %(got)s"),
    mark("no such time of day in %(got)s"),
    mark("an empty window or no such zone: %(got)s"),
    mark("expected an address or range such as 192.0.2.0/24, got %(got)s"),
    mark("expected comparisons such as year >= 2020, got %(got)s"),
    mark("a row filter has at most %(most)s comparisons"),
    mark("expected a column in a row filter, got %(got)s"),
    mark("expected =, !=, <, <=, >, >= or in, got %(got)s"),
    mark("expected at most %(most)s values of one type after in"),
    mark("expected a number or a 'text' in a row filter, got %(got)s"),
    mark("expected %(wanted)s in a row filter, got %(got)s"),
    mark("expected a time such as 2026-11-25T08:00:00Z, got %(got)s"),
    mark("no such time: %(got)s"),
)
"""What stands against terms as they are written (policy, catalogue)."""

ERRORS: Final = (
    mark("there is no such contract here"),
    mark("there is no such page"),
    mark("there is no such step"),
    mark("there is no such member here"),
    mark("there is no such contract on file"),
    mark("there is no such negotiation here"),
    mark("there is no such request here"),
    mark("there is no such transfer process here"),
    mark("there is no such product of ours"),
    mark("there is no such product here"),
    mark("there is no such agreement here"),
    mark("there is no such use here, or its openings were destroyed"),
    mark("the contract of this process is not here"),
    mark("the form does not come from a page of this session"),
    mark("the form comes from another site"),
    mark("a form of at most %(most)s fields was expected"),
    mark("an invitation names a role at least, and holds for 1 to 366 days"),
    mark("expected a number of days"),
    mark("this is not the contract that was shown"),
    mark("the terms on the table are not those that were shown"),
    mark("in state %(negotiation)s nothing waits for a person's approval"),
    mark("in state %(negotiation)s nothing waits for a person's answer"),
    mark("the request is %(signature)s; it waits for nobody"),
    mark("the request is %(signature)s no more"),
    mark("it is too late: the provider waits no more"),
    mark("%(did)s is no member in force"),
    mark("only a supervisor in force orders a stop"),
    mark("the contract is not filed yet"),
    mark("nobody makes a contract with itself"),
    mark("%(product)s is a product of %(did)s, who offers nothing here"),
    mark("that somebody was paid is written down by whoever was paid"),
    mark("%(duty)s was performed already"),
    mark("nothing by the name of %(duty)s is due or owed first under this contract"),
)
"""Why what a person wanted to do in the console did not come about."""

WAITS: Final = (
    mark("the provider"),
    mark("the provider, or a person there who must approve"),
    mark("a person here who must approve the counter-offer"),
    mark("the signatures and the filing"),
    mark("the process to be resumed"),
    mark("another try: %(why)s"),
    mark("the catalogue answered %(status)s"),
)
"""What an acquisition waits for (use, node)."""

SENTENCES: Final = (*GATE, *FAULTS, *ERRORS, *WAITS)
